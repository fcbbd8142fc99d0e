"""One community for the tests that only look."""

from __future__ import annotations

import numpy as np
import pytest

from agents.synthetic.community import Community, make_community


@pytest.fixture(scope="session")
def community() -> Community:
    return make_community(np.random.default_rng(11), 40, 40, 30)
