"""The crash storm: consumers and compactions killed at every step, then every message is looked for. `make storm`."""
