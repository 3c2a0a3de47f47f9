"""Stand-in servers: they answer, and refuse, as the providers do. For the demo and for tests, on 127.0.0.1."""
