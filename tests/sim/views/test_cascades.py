"""Posts, attention and trees, against the tables that they come from."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from metrics.diffusion import NO_PARENT, cascade_nodes, cascade_shapes
from metrics.tables import CellTables
from sim.cell import CellKey
from sim.errors import RunDirError
from sim.platform_tables import read_tables
from sim.run_dir import CellDir, RunDir
from sim.views.cascades import (
    NODE_COLUMNS,
    POST_COLUMNS,
    cascade_sizes,
    cascade_tree,
    cascades,
    same_post_trees,
    silent_conditions,
    top_posts,
    written_cells,
)
from tests.metrics.frames import comments, exposures, follows, marks, posts, sides
from tests.sim.views.made_runs import made_run, write_platform

HOSTILE = '<img src="http://203.0.113.7/x.png"> **bold** $x$'
TABLES = CellTables(
    posts(
        [
            (1, 0, None, HOSTILE, None, 0),
            (2, 1, 1, HOSTILE, None, 1),  # repost by user 1, who follows 0
            (3, 2, 1, HOSTILE, "my view", 2),  # quote by user 2, who follows 1
            (4, 3, None, "quiet", None, 2),
        ]
    ),
    marks([(1, 1, 1), (2, 1, 2), (0, 1, 2), (3, 3, 3)]),  # the author's own like is no engagement
    marks([(3, 1, 3)]),
    comments([(1, 3, 4, "to the quote", 3)]),
    follows([(1, 0, 0), (2, 1, 0)]),
    exposures(),
    sides("supportive", "skeptical", "supportive", "skeptical", "supportive", "skeptical"),
)


def measures(*_: object) -> dict[str, float]:
    return {"like_gini": 0.5}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, CellDir]:
    run = made_run(tmp_path_factory.mktemp("made") / "known", measures, seeds=(0,), steps=3)
    cell = run.cell(CellKey(8, 0, "lora"))
    write_platform(cell.database, TABLES)
    return run, cell


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    conditions = ["lora", "shared_base", "degroot"]
    return made_run(
        tmp_path_factory.mktemp("made") / "random", measures, conditions=conditions, seeds=(0, 1), steps=6,
        sizes=(20,), written=conditions[:2],
    )  # fmt: skip


def test_top_posts_count_what_others_did_and_keep_text_as_it_was_written(
    known: tuple[RunDir, CellDir],
) -> None:
    run, cell = known
    table = top_posts(cell, run.read_population(8), 3)
    assert list(table.columns) == POST_COLUMNS
    assert table["post_id"].tolist() == [1, 3, 4]  # reposts have no engagement of their own
    first = table.iloc[0]
    assert first["text"] == HOSTILE
    counts = first[["likes", "comments", "reposts", "quotes", "dislikes", "engagements"]].tolist()
    assert counts == [2, 0, 1, 1, 1, 4]
    assert (first["author"], first["side"], first["kind"]) == ("handle0", "supportive", "post")
    assert table.iloc[1]["text"] == "my view"


def test_posts_of_an_earlier_step_are_counted_as_they_stood_then(known: tuple[RunDir, CellDir]) -> None:
    run, cell = known
    table = top_posts(cell, run.read_population(8), 1)
    assert table[["post_id", "engagements"]].to_numpy().tolist() == [[1, 2]]


def test_a_tree_goes_along_follows_or_as_the_platform_records(known: tuple[RunDir, CellDir]) -> None:
    run, cell = known
    people = run.read_population(8)
    tree = cascade_tree(cell, people, 1)
    assert list(tree.frame.columns) == NODE_COLUMNS
    assert tree.frame["kind"].tolist() == ["post", "repost", "quote", "comment"]
    assert tree.frame["parent"].tolist() == [NO_PARENT, 0, 1, 2]
    assert tree.frame["depth"].tolist() == [0, 1, 2, 3]
    assert tree.frame["text"].tolist() == [HOSTILE, HOSTILE, "my view", "to the quote"]
    assert tree.frame["row"].tolist() == [0, 0, 0, 0]
    recorded = cascade_tree(cell, people, 1, inferred=False)
    assert recorded.frame["parent"].tolist() == [NO_PARENT, 0, 0, 2]
    assert recorded.frame["row"].tolist() == [0.5, 0, 1, 1]  # the post amid its two branches
    assert "post 1 by handle0 at step 0; 1 repost, 1 quote, 1 comment; 4 nodes, depth 3" in tree.alt


def test_a_post_that_is_not_there_is_named(known: tuple[RunDir, CellDir]) -> None:
    run, cell = known
    for post in (3, 99):  # a quote is not the root of a cascade
        with pytest.raises(RunDirError, match=f"no original post {post}"):
            cascade_tree(cell, run.read_population(8), post)


def test_cascades_are_those_of_the_measures_and_trees_hold_as_many_nodes(random: RunDir) -> None:
    people = random.read_population(20)
    for cell in written_cells(random, 20):
        tables = read_tables(cell.database)
        nodes = cascade_nodes(tables.posts, tables.comments, tables.follows)
        shape = cascade_shapes(nodes["parent"].to_numpy())
        table = cascades(cell, people, most=1000)
        assert sorted(table["size"]) == sorted(shape.size[shape.size > 1])
        assert table["size"].is_monotonic_decreasing
        for post, size, depth in table[["post_id", "size", "depth"]].head(5).itertuples(index=False):
            tree = cascade_tree(cell, people, post).frame
            assert (len(tree), tree["depth"].max()) == (size, depth)
            assert (tree["parent"].iloc[1:] < tree["node"].iloc[1:]).all()
            leaves = tree[~tree["node"].isin(tree["parent"])]
            assert sorted(leaves["row"]) == list(range(len(leaves)))


def test_sizes_are_told_for_each_condition_that_writes(random: RunDir) -> None:
    plotted = cascade_sizes(written_cells(random, 20))
    assert list(dict.fromkeys(plotted.frame["condition"])) == ["lora", "shared_base"]
    for _, part in plotted.frame.groupby("condition"):
        assert part["share"].iloc[0] == 1.0
        assert part["share"].is_monotonic_decreasing
        assert (np.diff(part["size"]) > 0).all()
    assert "answered or passed on, the largest cascade has" in plotted.alt


def test_a_seed_post_is_shown_in_every_condition_of_its_seed_and_a_later_one_alone(random: RunDir) -> None:
    cells, people = written_cells(random, 20), random.read_population(20)
    trees = same_post_trees(cells, people, cells[0], 1)
    assert list(trees) == ["lora-n20-s0", "shared_base-n20-s0"]
    written = cascades(cells[0], people, most=1000)
    later = int(written.loc[written["step"] > 0, "post_id"].iloc[0])
    assert list(same_post_trees(cells, people, cells[0], later)) == ["lora-n20-s0"]


def test_conditions_in_which_nobody_writes_are_told_apart(random: RunDir) -> None:
    assert silent_conditions(random, 20) == ["degroot"]
    assert {cell.key.condition for cell in written_cells(random, 20)} == {"lora", "shared_base"}
    assert written_cells(random, 8) == silent_conditions(random, 8) == []


def test_a_cell_in_which_nobody_said_anything_has_no_cascades(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", measures, seeds=(0,), sizes=(12,), written=["lora"])
    cell = next(cell for cell in written_cells(run, 12) if cell.key.condition == "lora")
    with closing(sqlite3.connect(cell.database)) as database:
        for table in ("post", "comment", "like", "dislike"):
            database.execute(f'DELETE FROM "{table}"')
        database.commit()
    people = run.read_population(12)
    assert cascades(cell, people).empty
    assert top_posts(cell, people, 2).empty
    assert cascade_sizes([cell]).alt == "lora: nobody posted anything."
