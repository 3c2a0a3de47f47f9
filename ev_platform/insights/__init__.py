"""The joins: what the cars mean for the grid, for the market and for their region. Pure transforms, Arrow or Polars."""
