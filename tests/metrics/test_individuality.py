from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.individuality import Individuality, individuality

Tables = tuple[pd.DataFrame, pd.Series, pd.Series]


def people(
    n: int, posts: int, *, gain: float = 0.3, noise: float = 0.05, talent: float = 0.0, seed: int = 0
) -> Tables:
    """Every adapter saves `gain` nats per token on its owner's posts; `talent` spreads what it saves on all."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(n), posts)
    hard = rng.normal(4, 0.5, size=(n * posts, 1))
    scores = hard - gain * (owner[:, None] == np.arange(n)) - talent * rng.normal(size=n)
    scores = scores + rng.normal(0, noise, size=scores.shape)
    names = [f"u{i}" for i in range(n)]
    frame = pd.DataFrame(scores, columns=names).assign(base=hard + 0.5)
    return frame, pd.Series([names[i] for i in owner]), pd.Series(rng.integers(5, 30, size=n * posts))


def measure(tables: Tables, **options: object) -> Individuality:
    return individuality(*tables, rng=np.random.default_rng(0), resamples=300, **options)


def test_perplexities_weigh_posts_by_their_tokens() -> None:
    nll = pd.DataFrame({"a": [1.0, 4.0], "b": [2.0, 3.0], "base": [3.0, 5.0]})
    result = measure((nll, pd.Series(["a", "b"]), pd.Series([3, 1])))
    # own: (3·1 + 1·3)/4; others: (3·2 + 1·4)/4; base: (3·3 + 1·5)/4
    assert result.own_perplexity.value == pytest.approx(np.exp(1.5))
    assert result.others_perplexity.value == pytest.approx(np.exp(2.5))
    assert result.base_perplexity.value == pytest.approx(np.exp(3.5))
    assert (result.gain_over_others.value, result.gain_over_base.value) == pytest.approx((1.0, 2.0))
    assert (result.top1_post.value, result.top1_user.value, result.chance) == (1.0, 1.0, 0.5)
    assert (result.n_users, result.n_posts) == (2, 2)


def test_adapters_that_are_all_alike_score_chance() -> None:
    nll, owner, tokens = people(5, 4)
    nll = pd.DataFrame(dict.fromkeys(nll.columns, nll["base"]))
    result = measure((nll, owner, tokens), calibration=pd.Series([True, False] * 10))
    for share in (
        result.top1_post,
        result.top1_user,
        result.calibrated_top1_post,
        result.calibrated_top1_user,
    ):
        assert share.value == pytest.approx(result.chance)
    assert result.gain_over_base.value == 0.0


def test_people_are_told_apart_when_adapters_carry_them() -> None:
    result = measure(people(10, 6))
    assert result.top1_post.value == 1.0
    assert result.gain_over_others.low > 0.2
    assert result.own_perplexity.value < result.others_perplexity.value < result.base_perplexity.value


def test_calibration_undoes_an_adapter_that_is_good_at_everything() -> None:
    tables = people(12, 10, talent=1.0)
    result = measure(tables, calibration=pd.Series(np.arange(120) % 2 == 0))
    assert result.top1_post.value < 0.5
    assert result.calibrated_top1_post.value == 1.0
    assert result.n_posts == 60


def test_without_calibration_posts_the_calibrated_shares_are_unknown() -> None:
    result = measure(people(3, 3))
    assert np.isnan([*result.calibrated_top1_post, *result.calibrated_top1_user]).all()


def test_calibration_does_not_see_who_wrote_what_it_is_tested_on() -> None:
    """Adapters that know nothing stay at chance after calibration (12 people, 480 tested posts: ±2.5 points)."""
    tables = people(12, 80, gain=0.0, talent=1.0, seed=4)
    result = measure(tables, calibration=pd.Series(np.arange(960) % 2 == 0))
    assert result.calibrated_top1_post.value == pytest.approx(1 / 12, abs=0.04)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(-3, 3))
def test_order_of_posts_and_people_and_a_common_shift_change_no_identification(
    seed: int, shift: float
) -> None:
    nll, owner, tokens = people(5, 4, gain=0.05, seed=seed)
    before = measure((nll, owner, tokens))
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(nll)), rng.permutation(nll.columns)
    shuffled = (nll.iloc[rows][columns] + shift, owner.iloc[rows], tokens.iloc[rows])
    after = measure(shuffled)
    assert after.top1_post.value == pytest.approx(before.top1_post.value)
    assert after.top1_user.value == pytest.approx(before.top1_user.value)
    assert after.gain_over_others.value == pytest.approx(before.gain_over_others.value)
    assert after.own_perplexity.value == pytest.approx(before.own_perplexity.value * np.exp(shift))


def test_a_single_adapter_has_nobody_to_be_told_from() -> None:
    result = measure((pd.DataFrame({"a": [1.0], "base": [2.0]}), pd.Series(["a"]), pd.Series([4])))
    assert np.isnan(result.others_perplexity.value)
    assert np.isnan(result.gain_over_others.value)
    assert result.gain_over_base.value == 1.0
    assert np.isnan([result.gain_over_base.low, result.top1_user.low]).all()


def test_the_result_is_plain_numbers_on_request() -> None:
    plain = measure(people(3, 3)).as_dict()
    assert plain["n_users"] == 3
    assert set(plain["top1_post"]) == {"value", "low", "high"}


def test_wrong_input_is_refused() -> None:
    nll, owner, tokens = people(3, 3)
    with pytest.raises(MetricInputError, match="owner: got 8 rows"):
        measure((nll, owner[:8], tokens))
    with pytest.raises(MetricInputError, match="expected one a user, and 'base'"):
        measure((nll.drop(columns="base"), owner, tokens))
    with pytest.raises(MetricInputError, match="'stranger' has no adapter"):
        measure((nll, owner.replace("u0", "stranger"), tokens))
    with pytest.raises(MetricInputError, match="finite"):
        measure((nll.replace(nll.iloc[0, 0], np.nan), owner, tokens))
    with pytest.raises(MetricInputError, match="at least 1 a post"):
        measure((nll, owner, tokens * 0))
    with pytest.raises(MetricInputError, match="no post to test"):
        measure((nll, owner, tokens), calibration=pd.Series([True] * 9))
    with pytest.raises(MetricInputError, match="0 posts of others"):
        measure((nll, owner, tokens), calibration=owner == "u0")
