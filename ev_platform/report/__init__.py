"""The battery report: a page that a buyer can trust, made of result tables only."""
