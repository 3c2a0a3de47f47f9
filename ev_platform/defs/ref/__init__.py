"""Reference data: the vehicle registry."""
