"""Notebooks that explain why the rules are as they are, on simulated and imported data; see README.md."""
