"""The whole line on the shipped base: scenario in, paired answer out, resumable, reproducible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.errors import BaseMismatchError
from adapters.store import AdapterStore
from agents.errors import AgentsError
from metrics.catalogue import CATALOGUE
from sim.comparison import compare_run, contrasts
from sim.errors import RunDirError
from sim.experiment import run_experiment
from sim.platform_tables import read_tables
from sim.progress import Silent
from sim.run_dir import RunDir, open_run
from sim.scenario import FileCorpus, Scenario
from tests.sim.conftest import SMALL


def _ledgers(run: RunDir) -> dict[str, bytes]:
    return {cell.key.id: (cell.path / "ledger.parquet").read_bytes() for cell in run.cells()}


def test_every_cell_is_finished_and_measured(small_run: RunDir) -> None:
    assert small_run.state == "done"
    assert all(cell.done for cell in small_run.cells())
    measures = small_run.read_metrics()
    assert set(measures["metric"]) == set(CATALOGUE)
    assert set(measures["step"]) == {0, 1, 2}
    assert len(measures) == 10 * 3 * len(CATALOGUE)


def test_conditions_differ_in_the_adapter_only(small_run: RunDir) -> None:
    """People, graph, seed posts, activation, decoding seeds and first prompts are the same in all conditions."""
    cells = [cell for cell in small_run.cells() if cell.key.seed == 0]
    ledgers = [cell.ledger.read() for cell in cells]
    shared = ["step", "agent_id", "seed"]
    for cell, ledger in zip(cells[1:], ledgers[1:], strict=True):
        pd.testing.assert_frame_equal(ledger[shared], ledgers[0][shared])
        first = ledger["step"] == 1
        assert list(ledger["prompt"][first]) == list(ledgers[0]["prompt"][first])
        ours, theirs = read_tables(cell.database), read_tables(cells[0].database)
        assert list(ours.posts.query("created_at == 0").content) == list(
            theirs.posts.query("created_at == 0").content
        )
        assert ours.follows.query("created_at == 0").equals(theirs.follows.query("created_at == 0"))


def test_bindings_are_what_the_conditions_say(small_run: RunDir, small_store: Path) -> None:
    store = AdapterStore(small_store)
    bound = {c.key.condition: list(c.read_bindings().values()) for c in small_run.cells() if c.key.seed == 0}
    assert set(bound["shared_base"]) == {None}
    assert len(set(bound["lora"])) == 8
    assert sorted(map(str, bound["permuted"])) == sorted(map(str, bound["lora"]))
    assert all(a != b for a, b in zip(bound["permuted"], bound["lora"], strict=True))
    for condition, kind in (("lora", "personal"), ("one_for_all", "pooled"), ("zero", "zero")):
        assert {store.manifest(str(revision)).kind for revision in bound[condition]} == {kind}


def test_zero_adapter_is_the_base(small_run: RunDir) -> None:
    """An adapter without effect gives the base's very replies: the adapter path itself changes nothing."""
    zero, base = (
        next(c for c in small_run.cells() if (c.key.condition, c.key.seed) == (name, 0)).ledger.read()
        for name in ("zero", "shared_base")
    )
    assert list(zero["reply"]) == list(base["reply"])
    np.testing.assert_allclose(zero["logprob"], base["logprob"], atol=1e-4)


def test_adapters_change_replies(small_run: RunDir) -> None:
    lora, base = (
        next(c for c in small_run.cells() if (c.key.condition, c.key.seed) == (name, 0)).ledger.read(
            ["reply"]
        )
        for name in ("lora", "shared_base")
    )
    assert list(lora["reply"]) != list(base["reply"])


def test_no_reply_breaks_the_grammar(small_run: RunDir) -> None:
    outcomes = {o for cell in small_run.cells() for o in cell.ledger.read(["outcome"])["outcome"]}
    assert outcomes <= {"done", "truncated", "duplicate", "already_shared"}


def test_same_scenario_and_seed_give_the_same_bytes(
    small_run: RunDir, small_store: Path, tmp_path: Path
) -> None:
    again = run_experiment(SMALL, tmp_path / "again", store=small_store)
    assert _ledgers(again) == _ledgers(small_run)
    pd.testing.assert_frame_equal(again.read_metrics(), small_run.read_metrics())
    assert again.comparison_file.read_bytes() == small_run.comparison_file.read_bytes()


class _StopsAfter(Silent):
    def __init__(self, task: str, done: int) -> None:
        self._when = (task, done)

    def advance(self, task: str, done: int, note: str = "") -> None:
        if (task, done) == self._when:
            raise KeyboardInterrupt


def test_interrupted_run_is_readable_and_resumes_to_the_same_bytes(
    small_run: RunDir, small_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(SMALL, out, store=small_store, watcher=_StopsAfter("permuted-n8-s0", 1))
    stopped = open_run(out)
    assert stopped.state == "interrupted"
    assert [cell.done for cell in stopped.cells()].count(True) == 2
    assert set(compare_run(stopped)["treatment_condition"]) == {"lora"}
    with pytest.raises(RunDirError, match="Add --resume"):
        run_experiment(SMALL, out, store=small_store)
    resumed = run_experiment(SMALL, out, store=small_store, resume=True)
    assert _ledgers(resumed) == _ledgers(small_run)
    assert resumed.state == "done"


def test_finished_run_is_returned_as_it_is(small_run: RunDir, small_store: Path) -> None:
    before = small_run.manifest_file.stat().st_mtime_ns
    assert run_experiment(SMALL, small_run.path, store=small_store, resume=True).state == "done"
    assert small_run.manifest_file.stat().st_mtime_ns == before


def test_another_scenario_is_refused(small_run: RunDir, small_store: Path) -> None:
    other = SMALL.model_copy(update={"seeds": (0, 1, 2)})
    with pytest.raises(RunDirError, match=r"another scenario; seeds differ"):
        run_experiment(other, small_run.path, store=small_store, resume=True)


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(RunDirError, match=r"not empty and no run \(it holds thesis\.doc\)"):
        run_experiment(SMALL, tmp_path, store=tmp_path / "store")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.doc"]


def test_what_a_killed_start_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    for name in (".lock", "progress.json", ".progress.json.7.partial"):
        (tmp_path / name).write_text("")
    nobody = SMALL.model_copy(update={"corpus": FileCorpus(kind="file", path=tmp_path / "nobody.jsonl")})
    with pytest.raises(AgentsError, match=r"nobody\.jsonl"):
        run_experiment(nobody, tmp_path, store=tmp_path / "store")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": ("gate_up",)}, "gate_up"),
        ({"first_layer": 4}, "first_layer: got 4; this base has 4 decoder layers"),
    ],
)
def test_mistakes_show_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    bad = SMALL.model_copy(update={"adapters": SMALL.adapters.model_copy(update=change)})
    with pytest.raises(BaseMismatchError, match=message):
        run_experiment(bad, tmp_path / "run", store=tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_contrasts_start_with_the_question(small_run: RunDir) -> None:
    assert contrasts(small_run)[0] == ("lora", "shared_base")
    assert ("permuted", "shared_base") in contrasts(small_run)
    assert ("lora", "permuted") in contrasts(small_run)


def test_manifest_names_what_the_result_depends_on(small_run: RunDir, small_store: Path) -> None:
    manifest = json.loads(small_run.manifest_file.read_text("utf-8"))
    assert Scenario.model_validate(manifest["scenario"]) == SMALL
    assert manifest["base"]["toy"] is True
    assert manifest["engine"] == {
        "kind": "local",
        "weights": "float32",
        "torch_threads": manifest["hardware"]["torch_threads"],
    }
    assert len(manifest["corpus"]["sha256"]) == 64
    assert set(manifest["adapters"]["own"].values()) <= {e.revision for e in AdapterStore(small_store).list()}
    assert 0 <= manifest["stance_scorer"]["accuracy_user"] <= 1


def test_report_is_one_file_that_says_toy(small_run: RunDir) -> None:
    page = small_run.report_file.read_text("utf-8")
    assert "Toy base" in page
    assert "lora against shared_base" in page
    assert 'src="http' not in page
    assert page.count("<figure") == 5
