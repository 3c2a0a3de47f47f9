"""The lake's daily chain: compressed, cleaned, segments; its checks, schedule and repair."""
