"""The joins as assets: charges on the grid (daily), flexibility and value (monthly), regions and vehicles (whole)."""
