"""Joins lake and kernels: work items, what a task reads and writes, and the pool that runs them. No Dagster."""
