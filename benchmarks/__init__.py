"""Measured comparisons with peers: `python -m benchmarks.NAME [--quick] [--json]`."""
