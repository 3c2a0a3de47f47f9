"""The dashboard: pages over the result tables. Reads only, computes no science; see README.md."""
