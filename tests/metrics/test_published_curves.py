"""The printed curves are those of the paper, and say so."""

from __future__ import annotations

import math

from metrics.published_curves import PUBLISHED_CURVES, VOTING


def test_every_curve_is_labelled_as_published_and_has_as_many_x_as_y() -> None:
    for curves in PUBLISHED_CURVES.values():
        for curve in curves:
            assert curve.name.startswith("published: ")
            assert len(curve.x) == len(curve.y)
            assert curve.note


def test_the_printed_fit_runs_through_the_printed_votes() -> None:
    # arXiv 2606.02437: .386 + .0172 ln k; the printed points lie within .03 of it (R² .888)
    variants = VOTING[0]
    for k, accuracy in zip(variants.x, variants.y, strict=True):
        assert abs(0.386 + 0.0172 * math.log(k) - accuracy) < 0.03
