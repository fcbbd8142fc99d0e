"""Checking and repairing a store."""

from adapters.store.fsck.check import Report, check, repair
from adapters.store.fsck.finding import CODES, Finding

__all__ = ["CODES", "Finding", "Report", "check", "repair"]
