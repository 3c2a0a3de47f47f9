"""Vehicle data from manufacturers' APIs: one module per provider, all of one shape."""
