from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.store import AdapterStore
from sim.cli.app import app
from tests.adapters.store.samples import publish, rewrite

runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    """`ada` with three revisions and `ben`."""
    store = AdapterStore(tmp_path / "store")
    for seed in range(3):
        publish(store, "ada", seed)
    publish(store, "ben", 3)
    return store


def call(*arguments: object, status: int = 0) -> str:
    result = runner.invoke(app, ["adapters", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def test_verify_counts_and_names_what_is_damaged(store: AdapterStore) -> None:
    assert "4 checked, 0 damaged" in call("verify", "--store", store.root)
    revision = store.resolve("ben")
    rewrite(store.path(revision) / "adapter_config.json", b"{}")
    assert "4 checked, 1 damaged" in call("verify", "--store", store.root, status=1)
    assert "1 checked, 0 damaged" in call("verify", "ada", "--store", store.root)
    found = json.loads(call("verify", "ben", "--store", store.root, "--json", status=1))
    assert found["checked"] == 1
    assert "adapter_config.json" in found["damaged"][revision]


def test_fsck_of_a_healthy_store_finds_nothing(store: AdapterStore) -> None:
    assert "4 revisions proved, 0 mended, 0 problems" in call("fsck", "--store", store.root)


def test_fsck_tells_what_it_would_mend_and_then_does(store: AdapterStore) -> None:
    (store.layout.staging / "dead").mkdir()
    shown = call("fsck", "--store", store.root, status=1)
    assert "leftover" in shown
    assert "0 mended, 1 problems" in shown
    assert "--repair mends" in shown
    found = json.loads(call("fsck", "--store", store.root, "--json", status=1))
    assert [(f["code"], f["can_repair"]) for f in found["problems"]] == [("leftover", True)]
    mended = json.loads(call("fsck", "--repair", "--store", store.root, "--json"))
    assert [f["code"] for f in mended["mended"]] == ["leftover"]
    assert mended["problems"] == []


def test_fsck_fails_while_a_problem_remains(store: AdapterStore) -> None:
    rewrite(store.path(store.resolve("ben")) / "adapter_config.json", b"{}")
    shown = call("fsck", "--repair", "--store", store.root, status=1)
    assert "1 mended, 1 problems" in shown
    assert "rollback" in shown


def test_gc_changes_nothing_until_it_is_told_to(store: AdapterStore) -> None:
    shown = call("gc", "--history", 1, "--store", store.root)
    assert "what would be done" in shown
    assert "nothing was changed; --apply does it" in shown
    assert len(store.revisions()) == 4
    done = json.loads(
        call("gc", "--history", 1, "--grace-hours", 0, "--apply", "--store", store.root, "--json")
    )
    assert done["applied"]
    assert (done["entries"], len(done["unnamed"]), len(done["deleted"])) == (2, 2, 2)
    assert len(store.revisions()) == 2
    assert "what was done" in call("gc", "--apply", "--store", store.root)


@pytest.mark.parametrize("wrong", [("--history", 0), ("--retired-days", -1), ("--grace-hours", 10**9)])
def test_gc_refuses_impossible_wishes(store: AdapterStore, wrong: tuple[str, int]) -> None:
    assert runner.invoke(app, ["adapters", "gc", *map(str, wrong), "--store", str(store.root)]).exit_code == 2
