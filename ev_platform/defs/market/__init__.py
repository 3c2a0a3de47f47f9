"""The sales market as assets: raw snapshot → refined by month of sale → marts; sensor, schedule, checks."""
