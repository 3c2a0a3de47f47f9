"""Benchmarks: ratios of CPU-seconds in one run, against baselines that ship here. `make bench` writes the table."""
