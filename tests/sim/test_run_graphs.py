from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sim.errors import GraphError
from sim.platform_tables import read_tables
from sim.run_dir import RunDir
from sim.run_graphs import RELATIONS, read_run_network


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_relation_of_a_run_has_a_network_of_all_agents(small_run: RunDir, relation: str) -> None:
    named = read_run_network(small_run, relation, "permuted-n8-s1")
    assert named.network.n == len(named.names) == 8
    assert named.network.directed == (relation != "co-engagement")
    assert named.notes == (f"{relation} network of cell permuted-n8-s1",)


def test_follows_sides_and_stances_are_those_of_the_cell(small_run: RunDir) -> None:
    named = read_run_network(small_run, "follow")
    cell = next(cell for cell in small_run.cells() if cell.key.id == "lora-n8-s0")
    follows = read_tables(cell.database).follows
    assert named.network.m == len(follows.drop_duplicates(["follower_id", "followee_id"]))
    people = small_run.read_population(8)
    assert named.labels.side is not None
    assert named.labels.score is not None
    assert named.labels.side.tolist() == people["side"].tolist()
    stance = cell.read_stance()
    last = stance[stance["step"] == 2].sort_values("user_id")["stance"].to_numpy()
    assert named.labels.score == pytest.approx(last, nan_ok=True)
    assert np.isfinite(named.labels.score).any()


def test_what_is_not_there_is_refused_with_what_is(small_run: RunDir) -> None:
    with pytest.raises(GraphError, match="expected one of follow, reply, repost, co-engagement"):
        read_run_network(small_run, "like")
    with pytest.raises(GraphError, match=r"'lora' is not a finished cell; choose one of lora-n8-s0"):
        read_run_network(small_run, "follow", "lora")


def test_a_cell_of_an_opinion_model_has_no_networks_and_is_passed_over(
    small_run: RunDir, tmp_path: Path
) -> None:
    """Its manifest names bounded confidence first; the cells are copies of finished ones."""
    manifest = json.loads(small_run.manifest_file.read_text("utf-8"))
    manifest["scenario"]["conditions"] = ["bounded_confidence", "lora", "shared_base"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    shutil.copy(small_run.population_file(8), tmp_path)
    opinions = tmp_path / "cells" / "bounded_confidence-n8-s0"
    shutil.copytree(small_run.path / "cells" / "zero-n8-s0", opinions)
    (opinions / "platform.db").unlink()
    run = RunDir.open(tmp_path)
    with pytest.raises(GraphError, match="only opinion models are finished"):
        read_run_network(run, "reply")
    shutil.copytree(small_run.path / "cells" / "lora-n8-s1", tmp_path / "cells" / "lora-n8-s1")
    assert read_run_network(run, "reply").notes == ("reply network of cell lora-n8-s1",)
    with pytest.raises(GraphError, match=r"bounded_confidence-n8-s0' is an opinion .*one of lora-n8-s1"):
        read_run_network(run, "reply", "bounded_confidence-n8-s0")


def test_a_run_without_a_finished_cell_has_no_networks(small_run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(small_run.manifest_file.read_bytes())
    with pytest.raises(GraphError, match="no cell is finished yet"):
        read_run_network(RunDir.open(tmp_path), "follow")
