"""Raw data: drains, probes and what they report."""
