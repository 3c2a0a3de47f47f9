"""Results: sessions and battery health."""
