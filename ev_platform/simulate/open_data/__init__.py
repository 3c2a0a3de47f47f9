"""Open data portals for demo and tests: generated rows with known truth, served with the portals' own habits."""
