"""What became of a crowd's opinions: consensus, clustering or polarization."""

from __future__ import annotations

from typing import Literal

import numpy as np

from agents.errors import OpinionError
from agents.opinion.protocol import Opinions

Regime = Literal["consensus", "clustering", "polarization"]

MARGIN = 0.25
"""By what part the spread must change to count as change."""


def regime(path: Opinions) -> Regime:
    """The regime of a path, by what happens to the spread (population standard deviation) of opinions.

    | regime | spread at the end against the start | what it looks like |
    | --- | --- | --- |
    | `consensus` | less by more than a quarter | opinions draw together |
    | `polarization` | more by more than a quarter | opinions move to the two ends |
    | `clustering` | anything between | opinions stay apart without parting further |

    Args:
        path: [T + 1, N] opinions.

    Raises:
        OpinionError: when all opinions are the same at the start: nothing can draw together.

    Source: the names are Okawa & Iwata 2022's for their three synthetic series; the rule is ours.
    """
    start, end = float(np.std(path[0])), float(np.std(path[-1]))
    if start == 0.0:
        raise OpinionError("regime: all opinions are equal at the start; expected some spread")
    if end < (1.0 - MARGIN) * start:
        return "consensus"
    return "polarization" if end > (1.0 + MARGIN) * start else "clustering"
