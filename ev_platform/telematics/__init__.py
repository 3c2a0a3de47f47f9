"""Telematics devices: readings by variable and alarm band, runs of alarms, driving style. See docs/telematics.md."""
