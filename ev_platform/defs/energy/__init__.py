"""energy/*: French electricity and gas, batch (yearly, monthly, daily) and live (every 15 minutes)."""
