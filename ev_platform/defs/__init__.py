"""Dagster objects only: assets, checks, sensors, schedules, the I/O manager. No parsing and no maths here."""

import warnings

import dagster as dg

# Backfill policies and partition mappings are beta for years now and pinned by the lock; the warnings drown others.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
