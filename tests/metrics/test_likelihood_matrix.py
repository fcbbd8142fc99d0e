"""The matrix of own and others' likelihoods weighs posts by tokens and leaves calibration out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.errors import MetricInputError
from metrics.individuality import individuality
from metrics.likelihood_matrix import likelihood_matrix

NLL = pd.DataFrame({"ada": [1.0, 4.0, 5.0, 9.0], "ben": [2.0, 2.0, 1.0, 9.0], "base": [3.0, 3.0, 3.0, 9.0]})
OWNER = pd.Series(["ada", "ada", "ben", "ada"])
TOKENS = pd.Series([2, 1, 4, 8])
CALIBRATION = pd.Series([False, False, False, True])


def test_posts_weigh_as_many_tokens_as_they_have() -> None:
    # ada's posts of 2 and 1 tokens: under her own (2·1 + 1·4)/3 = 2, under ben's (2·2 + 1·2)/3 = 2
    matrix = likelihood_matrix(NLL, OWNER, TOKENS, CALIBRATION)
    assert list(matrix.index) == ["ada", "ben"]
    assert list(matrix.columns) == ["ada", "ben", "base"]
    np.testing.assert_allclose(matrix.to_numpy(), [[2.0, 2.0, 3.0], [5.0, 1.0, 3.0]])


def test_the_diagonal_averages_to_the_own_perplexity() -> None:
    matrix = likelihood_matrix(NLL, OWNER, TOKENS, CALIBRATION)
    result = individuality(NLL, OWNER, TOKENS, calibration=None, rng=np.random.default_rng(0))
    tokens = np.array([3, 4])
    own = np.exp((np.diag(matrix[["ada", "ben"]]) * tokens).sum() / tokens.sum())
    tested = individuality(
        NLL[:3], OWNER[:3], TOKENS[:3], calibration=None, rng=np.random.default_rng(0)
    ).own_perplexity.value
    assert own == pytest.approx(tested)
    assert result.own_perplexity.value != pytest.approx(tested)  # the calibration post counted there


def test_someone_without_tested_posts_has_a_column_and_no_row() -> None:
    matrix = likelihood_matrix(NLL[:2], OWNER[:2], TOKENS[:2], CALIBRATION[:2])
    assert (list(matrix.index), list(matrix.columns)) == (["ada"], ["ada", "ben", "base"])


def test_a_stranger_is_named() -> None:
    with pytest.raises(MetricInputError, match="zoe"):
        likelihood_matrix(NLL, OWNER.replace("ben", "zoe"), TOKENS, CALIBRATION)
    with pytest.raises(MetricInputError, match="base"):
        likelihood_matrix(NLL.drop(columns="base"), OWNER, TOKENS, CALIBRATION)
