"""Components that YAML files declare."""
