"""How vehicles are used: trips, charges, parking, ranges, quality. Pure: Arrow in, Arrow out, no I/O, no Dagster."""
