"""Dagster objects only: assets, checks, sensors, schedules, the I/O manager. No parsing and no maths here."""
