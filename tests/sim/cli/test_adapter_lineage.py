from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.errors import RetiredError, StoreError, UnknownAdapterError
from adapters.store import AdapterStore
from sim.cli.app import adapters
from tests.adapters.store.samples import adapter, manifest, publish

runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AdapterStore:
    """town.ada with three revisions, town.ben with one."""
    store = AdapterStore(tmp_path / "store")
    store.publish_many([(adapter(seed), manifest(seed=seed), "town.ada") for seed in range(3)])
    publish(store, "town.ben", 3, metrics={"loss": 2.5})
    monkeypatch.setenv("PLURES_STORE", str(store.root))
    return store


def call(*arguments: str, status: int = 0) -> str:
    result = runner.invoke(adapters.app, arguments, catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def test_log_shows_events_parents_and_where_a_branch_began(store: AdapterStore) -> None:
    child = publish(store, "town.ada", 5, parent=store.resolve("town.ben"))
    store.rollback("town.ada")
    store.branch(child, "calm")
    shown = call("log", "town.ada")
    assert shown.index("rollback") < shown.index("publish")
    assert store.resolve("town.ben")[:12] in shown
    assert f"branched from town.ada@{child[:12]}" in call("log", "calm")
    told = json.loads(call("log", "calm", "--json"))
    assert (told["record"]["parent"], told["record"]["shape"]["rank"]) == ("town.ada", 2)
    assert [e["event"] for e in told["history"]] == ["branch"]
    store.retire("calm")
    assert "retired since" in call("log", "calm")
    with pytest.raises(UnknownAdapterError, match=r"Did you mean town\.ada"):
        call("log", "town.adda")
    with pytest.raises(UnknownAdapterError, match=r"Did you mean town\.ada"):
        call("rollback", "town.adda")


def test_a_tag_in_the_place_of_a_name_is_called_one(store: AdapterStore) -> None:
    store.tag("paper", store.resolve("town.ben"))
    for command in ("log", "rollback"):
        with pytest.raises(
            UnknownAdapterError, match="'paper': is a tag, and the name of a record is expected"
        ):
            call(command, "paper")


def test_a_record_is_activated_at_one_revision(store: AdapterStore) -> None:
    first, second, _ = (entry.revision for entry in store.log("town.ada"))
    with pytest.raises(StoreError, match="named 2 times"):
        call("activate", f"town.ada@{first}", f"town.ada@{second}")


def test_diff_compares_manifests_and_updates(store: AdapterStore) -> None:
    told = json.loads(call("diff", "town.ada", "town.ben", "--json"))
    assert told["revisions"] == [store.resolve("town.ada"), store.resolve("town.ben")]
    assert told["manifest"]["seed"] == [2, 3]
    assert told["manifest"]["metrics.loss"] == [None, 2.5]
    assert set(told["updates"]) == {"q_proj", "v_proj", "all"}
    shown = call("diff", "town.ada", "town.ben")
    assert "metrics.loss" in shown
    assert f"{told['updates']['all']['cosine']:.4g}" in shown
    same = json.loads(call("diff", "town.ada", "town.ada", "--json"))
    assert same["manifest"] == {}
    assert same["updates"]["all"]["difference"] == pytest.approx(0.0, abs=1e-6)
    assert "equal" in call("diff", "town.ada", "town.ada")


def test_tags_are_put_moved_and_taken_away(store: AdapterStore) -> None:
    ada, ben = store.resolve("town.ada"), store.resolve("town.ben")
    assert ada in call("tag", "pilot", "town.ada")
    with pytest.raises(StoreError, match="move it"):
        call("tag", "pilot", "town.ben")
    assert json.loads(call("tag", "pilot", "town.ben", "--move", "--json")) == {
        "tag": "pilot",
        "revision": ben,
    }
    assert store.resolve("pilot") == ben
    assert ben in call("tag", "pilot", "--delete")
    with pytest.raises(UnknownAdapterError):
        store.resolve("pilot")
    call("tag", "pilot", status=2)
    call("tag", "pilot", "town.ada", "--delete", status=2)


def test_rollback_branch_and_retire_change_what_names_stand_for(store: AdapterStore) -> None:
    order = [e.revision for e in reversed(store.log("town.ada"))]
    assert json.loads(call("rollback", "town.ada", "--json"))["revision"] == order[1]
    assert order[0] in call("rollback", "town.ada", "--to", order[0][:8])
    told = json.loads(call("branch", "town.ada", "calm", "--person", "Ada", "--json"))
    assert told == {"name": "calm", "revision": order[0], "parent": "town.ada"}
    assert store.policy("calm").person == "Ada"
    assert "calm is retired" in call("retire", "calm", "--reason", "no use")
    with pytest.raises(RetiredError, match="retire --undo calm"):
        call("show", "calm")
    assert "calm" not in call("list")
    assert "calm (retired)" in call("list", "--retired")
    assert json.loads(call("retire", "--undo", "calm", "--json")) == {"ref": "calm", "retired": False}
    assert "calm" in call("list")


def test_list_pages_by_the_cursor_of_the_last_entry(store: AdapterStore) -> None:
    first = json.loads(call("list", "--limit", "1", "--json"))
    rest = json.loads(call("list", "--after", first[-1]["cursor"], "--json"))
    assert [e["name"] for e in (*first, *rest)] == ["town.ada", "town.ben"]
    shown = runner.invoke(adapters.app, ["list", "--limit", "1"])
    assert f"--after {first[-1]['cursor']}" in shown.stderr


def test_list_finds_by_metric_person_and_state(store: AdapterStore) -> None:
    store.publish(adapter(7), manifest(seed=7), name="by-ada", person="Ada")
    assert [e["name"] for e in json.loads(call("list", "--metric", "loss<=3", "--json"))] == ["town.ben"]
    assert "2.5" in call("list", "--metric", "loss<=3")
    assert [e["name"] for e in json.loads(call("list", "--person", "Ada", "--json"))] == ["by-ada"]
    store.states.advance(store.resolve("by-ada"), "prewarming", "test")
    assert [e["name"] for e in json.loads(call("list", "--state", "prewarming", "--json"))] == ["by-ada"]
    with pytest.raises(StoreError, match="expected one of registered"):
        call("list", "--state", "asleep")


def test_stats_add_up(store: AdapterStore) -> None:
    told = json.loads(call("stats", "--json"))
    assert (told["records"], told["revisions"], told["entries"]) == (2, 4, 4)
    assert told["by_state"]["registered"] == 4
    assert "2 in use, 0 retired" in call("stats")
