"""Asking an agent: the question goes to its adapter and to the shared base, the answers to a log beside the run.

`transcript` and `exchange` are all that reading what was said needs; `studio` opens what answers.
"""

from __future__ import annotations

from sim.interview.exchange import Answer, Exchange, Voice
from sim.interview.interview import Interview
from sim.interview.studio import Studio

__all__ = ["Answer", "Exchange", "Interview", "Studio", "Voice"]
