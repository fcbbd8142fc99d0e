from __future__ import annotations

import numpy as np
import pytest

from metrics.stance import TEXT_KINDS, fit_stance_scorer, learner
from tests.metrics.stance.test_fitting import corpus


class SideEmbedder:
    """Unit vectors on a half circle, by whether a text speaks of `up`."""

    def embed(self, texts: list[str]) -> np.ndarray:
        angle = np.array([0.5 * text.count("up") - 0.5 * text.count("down") for text in texts])
        return np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_every_kind_is_a_learner_of_that_name(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.text.embeddings.load_minilm", SideEmbedder)
    chosen = learner(kind)  # type: ignore[arg-type]
    assert chosen.name == kind
    scorer = fit_stance_scorer(*corpus(), positive_side="up", rng=np.random.default_rng(0), learner=chosen)
    assert scorer.kind == kind
    assert scorer.held_out.accuracy_user == 1.0
    up, down, none = scorer.score(["up1 up2", "down3 down1", ""])
    assert up > 0.5
    assert down < -0.5
    assert abs(none) < 0.25
