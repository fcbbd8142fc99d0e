from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from metrics.cascade import gini, likes_per_post
from metrics.catalogue import CATALOGUE, METRICS
from metrics.content import content_frame
from metrics.engagement import engagements
from metrics.errors import MetricInputError
from metrics.measure import measure_cell
from metrics.networks import assortativity, reply_network, repost_network
from metrics.stance import StanceWeights
from metrics.tables import CellTables
from metrics.text.diversity import distinct_n
from tests.metrics.frames import (
    NumberScorer,
    comments,
    empty_cell,
    exposures,
    follows,
    marks,
    posts,
    random_cell,
    sides,
)

CELL_METRICS = [metric.id for metric in METRICS if metric.group != "failures"]


def measured(tables: CellTables, step: int, seed: int = 0) -> pd.Series[float]:
    frame = measure_cell(tables, [step], rng=np.random.default_rng(seed))
    return frame.set_index("metric")["value"]


def small_cell() -> CellTables:
    """Two users a side; users 0 and 1 meet at post 3, users 2 and 3 at post 1."""
    return replace(
        empty_cell(4),
        posts=posts(
            [
                (1, 0, None, "0.8 seed", None, 0),
                (2, 2, None, "-0.4 seed", None, 0),
                (3, 3, None, "-0.6 mine", None, 1),
                (4, 1, None, "0.2 mine", None, 2),
            ]
        ),
        likes=marks([(0, 3, 1), (2, 1, 2), (3, 1, 2)]),
        comments=comments([(1, 3, 1, "0.6 so", 2)]),
        exposures=exposures([(1, 0, 3), (1, 2, 1), (2, 3, 1), (2, 1, 3)]),
    )


def test_a_small_cell_by_hand() -> None:
    values = measured(small_cell(), 2)
    # Users (own words 1, likes ½, seeds 0): 0: like of −0.6 → −0.6; 1: (0.2 + 0.6)/2 = 0.4;
    # 2: like of 0.8 → 0.8; 3: (1·−0.6 + ½·0.8)/1.5 = −2/15.
    assert values["stance_mean_positive"] == pytest.approx((-0.6 + 0.4) / 2)
    assert values["stance_mean_negative"] == pytest.approx((0.8 - 2 / 15) / 2)
    assert values["polarization_distance"] == pytest.approx(-0.1 - 1 / 3)
    assert values["stance_std_positive"] == pytest.approx(0.5)
    assert values["initial_polarization_distance"] == pytest.approx(0.8 + 0.4)
    assert values["stance_coverage"] == 1.0
    # Two separate pairs: two communities, Q = 1 − 2·(½)² = ½, each of one side.
    assert values["effective_communities"] == pytest.approx(2.0)
    assert values["co_engagement_modularity"] == pytest.approx(0.5)
    assert values["community_side_homophily"] == 1.0
    assert values["co_engagement_assortativity"] == pytest.approx(1.0)
    # Likes 2, 0, 1, 0 → sorted 0, 0, 1, 2: Σ i·x = 11; 2·11/(4·3) − 5/4 = 7/12. A tenth of 4 posts is one: 2/3.
    assert values["like_gini"] == pytest.approx(7 / 12)
    assert values["like_top_decile_share"] == pytest.approx(2 / 3)
    assert (values["comments"], values["original_posts"], values["actions_create_post"]) == (1, 4, 2)
    assert (values["active_share"], values["posts_per_user"]) == (1.0, 0.5)
    assert values["cross_side_exposure"] == 1.0
    # Two communities; every meeting is within a side; one comment on one of four posts.
    assert (values["community_count"], values["co_engagement_ei"]) == (2.0, -1.0)
    assert values["stance_std"] == pytest.approx(np.std([-0.6, 0.4, 0.8, -2 / 15]))
    assert (values["cascade_share"], values["cascade_size"], values["cascade_depth"]) == (0.25, 2.0, 1.0)
    assert (values["cascade_depth_max"], values["cascade_breadth"]) == (1.0, 1.0)
    unknown = ["structural_virality", "engagement_half_life", "follow_assortativity", "echo_chamber"]
    assert values[unknown].isna().all()


def test_a_shared_post_by_hand() -> None:
    """Post 1 of user 0 is reposted by 1 (step 1), who is followed by 2, who quotes it (step 2); 3 comments."""
    cell = replace(
        small_cell(),
        posts=posts(
            [
                (1, 0, None, "0.8 seed", None, 0),
                (2, 1, 1, "", None, 1),
                (3, 2, 1, "0.8 seed", "0.5 my words", 2),
            ]
        ),
        likes=marks([(3, 1, 2)]),
        comments=comments([(1, 1, 3, "-0.5 my words", 3)]),
        follows=follows([(2, 1, 0), (3, 1, 1)]),
        exposures=exposures([]),
    )
    values = measured(cell, 3)
    # Tree: 1 → repost → quote, 1 → comment: a chain of four, 10/6; widest ring two (repost, comment).
    assert (values["cascade_share"], values["cascade_size"], values["cascade_depth"]) == (1.0, 4.0, 2.0)
    assert (values["cascade_breadth"], values["structural_virality"]) == pytest.approx((2.0, 10 / 6))
    # Engagements of others at steps 1, 2, 2 and 3: the second of four came at 2.
    assert values["engagement_half_life"] == 2.0
    assert np.isnan(measured(cell, 2)["engagement_half_life"])
    # Users 2 and 3 follow user 1, of the other side.
    assert values["cross_side_following"] == 1.0
    # "0.5 my words" and "-0.5 my words" are the words 0, 5, my, words: the same three pairs twice.
    assert values["distinct_2"] == 0.5


def test_replies_and_reposts_count_up_to_the_step() -> None:
    cell = random_cell(np.random.default_rng(8), 25, 6)
    acts = engagements(cell.posts, cell.comments, cell.likes, cell.dislikes)
    values, so_far = measured(cell, 4), acts[acts["step"] <= 4]
    assert len(so_far) < len(acts)
    for name, network in (("reply", reply_network), ("repost", repost_network)):
        expected = assortativity(network(so_far, cell.users), cell.side.to_numpy(dtype=object))
        assert values[f"{name}_assortativity"] == pytest.approx(expected, nan_ok=True)


def test_text_diversity_looks_at_the_latest_texts_only() -> None:
    """Fresh texts after 500 equal ones: the share of different pairs forgets those that scrolled away."""
    old = [(k, 0, None, "the same words", None, 1) for k in range(1, 501)]
    new = [(k, 0, None, f"word{k} and word{k + 1000}", None, 2) for k in range(501, 1001)]
    cell = replace(empty_cell(2), posts=posts(old + new), scorer=None)
    assert measured(cell, 1)["distinct_2"] == pytest.approx(2 / 1000)
    assert measured(cell, 2)["distinct_2"] == 1.0


def test_shared_work_gives_what_the_measures_give_alone() -> None:
    cell = random_cell(np.random.default_rng(9), 25, 6)
    values = measured(cell, 4)
    early = cell.posts[cell.posts["created_at"] <= 4], cell.likes[cell.likes["created_at"] <= 4]
    assert values["like_gini"] == gini(likes_per_post(*early))
    said = content_frame(cell.posts, cell.comments).query("kind != 'repost' and 0 < step <= 4")
    assert values["distinct_2"] == pytest.approx(distinct_n(said["text"].tolist(), 2))


def test_values_are_cumulative_and_do_not_depend_on_the_other_steps_asked_for() -> None:
    cell = random_cell(np.random.default_rng(1), 24, 5)
    everything = measure_cell(cell, rng=np.random.default_rng(3))
    assert everything["step"].unique().tolist() == [0, 1, 2, 3, 4, 5]
    some = measure_cell(cell, [4, 2], rng=np.random.default_rng(3))
    for step in (2, 4):
        pd.testing.assert_frame_equal(
            some[some["step"] == step].reset_index(drop=True),
            everything[everything["step"] == step].reset_index(drop=True),
        )
    counts = everything[everything["metric"] == "original_posts"]["value"]
    assert counts.is_monotonic_increasing


def test_exactly_the_metrics_of_the_catalogue_come_back_in_its_order_and_range() -> None:
    cell = random_cell(np.random.default_rng(2), 20, 4)
    frame = measure_cell(cell, rng=np.random.default_rng(0))
    for _, rows in frame.groupby("step"):
        assert rows["metric"].tolist() == CELL_METRICS
    for name, value in frame[["metric", "value"]].dropna().itertuples(index=False):
        assert CATALOGUE[name].low - 1e-9 <= value <= CATALOGUE[name].high + 1e-9, name


def test_a_cell_in_which_nothing_happened_has_counts_and_no_other_values() -> None:
    values = measured(empty_cell(), 0)
    known = values.dropna()
    assert (known == 0).all()
    shares = {"stance_coverage", "co_engagement_coverage", "active_share", "posts_per_user"}
    assert set(known.index) == shares | {name for name in CELL_METRICS if CATALOGUE[name].unit == "rows"}


def test_without_a_scorer_or_with_one_side_stance_measures_have_no_value() -> None:
    stance = [name for name in CELL_METRICS if CATALOGUE[name].group == "polarization"]
    assert measured(replace(small_cell(), scorer=None), 2)[stance].isna().all()
    one_side = measured(replace(small_cell(), side=sides(*["supportive"] * 4)), 2)
    assert np.isnan(one_side["polarization_distance"])
    assert np.isnan(one_side["co_engagement_assortativity"])
    assert one_side["community_side_homophily"] == 1.0
    assert not np.isnan(one_side["stance_mean_positive"])


def test_names_of_users_do_not_matter() -> None:
    cell = small_cell()
    names = {0: 13, 1: 12, 2: 11, 3: 10}
    moved = CellTables(
        **{
            name: getattr(cell, name).assign(user_id=lambda table: table["user_id"].map(names))
            for name in ("posts", "likes", "dislikes", "comments", "exposures")
        },
        follows=cell.follows,
        side=cell.side.rename(names).iloc[::-1],
        scorer=cell.scorer,
    )
    pd.testing.assert_series_equal(measured(moved, 2), measured(cell, 2))


def test_the_same_seed_gives_the_same_frame() -> None:
    cell = random_cell(np.random.default_rng(5), 30, 4)
    first, second = (measure_cell(cell, rng=np.random.default_rng(9)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_every_text_is_scored_once_however_many_steps_are_asked_for() -> None:
    scorer = NumberScorer()
    cell = replace(random_cell(np.random.default_rng(6), 20, 6), scorer=scorer)
    measure_cell(cell, rng=np.random.default_rng(0))
    assert len(scorer.asked) == len(set(scorer.asked)) > 20


def test_weights_of_the_cell_decide_what_counts() -> None:
    likes_only = StanceWeights(post=0.0, quote=0.0, comment=0.0, repost=0.0)
    values = measured(replace(small_cell(), weights=likes_only), 2)
    # user 0 liked −0.6, users 2 and 3 liked 0.8; user 1 liked nothing
    assert values["stance_mean_positive"] == pytest.approx(-0.6)
    assert values["stance_mean_negative"] == pytest.approx(0.8)
    assert values["stance_coverage"] == 0.75


def test_measuring_leaves_the_tables_alone() -> None:
    cell = small_cell()
    before = {name: getattr(cell, name).copy() for name in ("posts", "likes", "comments", "exposures")}
    measured(cell, 2)
    for name, table in before.items():
        pd.testing.assert_frame_equal(getattr(cell, name), table)


def test_a_negative_step_is_refused() -> None:
    with pytest.raises(MetricInputError, match="steps: got -1"):
        measure_cell(small_cell(), [-1], rng=np.random.default_rng(0))


def test_importing_all_measures_loads_nothing_heavy() -> None:
    code = (
        "import sys, metrics.measure, metrics.comparison, metrics.individuality, metrics.failures, metrics.published\n"
        "heavy = {'igraph', 'sklearn', 'scipy', 'torch', 'networkx'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sixty_four_users_and_ten_steps_take_less_than_a_second_of_work() -> None:
    cell = random_cell(np.random.default_rng(0), 64, 10)
    measure_cell(cell, [1], rng=np.random.default_rng(0))  # loads igraph and scipy
    start = time.process_time()
    measure_cell(cell, rng=np.random.default_rng(0))
    assert time.process_time() - start < 1.0


@pytest.mark.slow
def test_five_hundred_users_and_thirty_steps_take_less_than_ten_seconds_of_work() -> None:
    cell = random_cell(np.random.default_rng(0), 512, 30)
    start = time.process_time()
    measure_cell(cell, rng=np.random.default_rng(0))
    assert time.process_time() - start < 10.0
