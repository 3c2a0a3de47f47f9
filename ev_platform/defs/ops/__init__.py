"""Operations: what is told to people, and what is purged."""
