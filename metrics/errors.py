"""Errors of the measures; each message names the table or value, what was expected and the cure."""

from __future__ import annotations


class MetricsError(Exception):
    """Root of everything that the `metrics` package raises on purpose."""


class MetricInputError(MetricsError, ValueError):
    """Tables or arrays that do not fit together, or hold values that the measure is not defined for."""


class StanceError(MetricsError, ValueError):
    """A stance scorer that cannot be fitted or read."""


class EmbeddingError(MetricsError):
    """Sentence embeddings that were asked for cannot be had."""
