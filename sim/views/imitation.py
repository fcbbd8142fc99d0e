"""Whom the posts that adapters wrote are taken for, as an evaluation left it."""

from __future__ import annotations

from pathlib import Path

from sim.imitation_files import Kept, imitation_file, read_imitation


def imitation_of(evaluation: Path) -> Kept | None:
    """The generated posts of one of `sim.views.likelihoods.evaluations`; None where none were asked for.

    Raises:
        SimError: a damaged file.
    """
    file = imitation_file(evaluation)
    return read_imitation(file) if file.exists() else None
