"""One way to ask the lake: parametrised SQL on DuckDB (embedded) or Athena, and the tables both know."""
