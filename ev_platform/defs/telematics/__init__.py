"""Telematics stream: raw readings, events, alarms, driving style."""
