"""Checking and repairing a store."""

from adapters.store.upkeep.fsck.check import Report, check, repair
from adapters.store.upkeep.fsck.finding import CODES, Finding

__all__ = ["CODES", "Finding", "Report", "check", "repair"]
