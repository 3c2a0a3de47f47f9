"""Where bytes live: object store, layout of keys, schemas. Knows no broker, no provider and no Dagster."""
