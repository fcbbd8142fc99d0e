"""`plures adapters import | export | pack | unpack`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.errors import BaseMismatchError, CorruptAdapterError, StoreError, UnknownAdapterError
from adapters.lora.peft_io import read_peft
from adapters.store import AdapterStore
from adapters.store.upkeep.collection import collect
from adapters.store.upkeep.retention import Retention
from sim.cli.app import adapters
from tests.adapters.store.samples import adapter, manifest, publish, same_tensors
from tests.adapters.tiny import write_base

runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    """town.ada with two revisions, the first tagged; town.ben."""
    store = AdapterStore(tmp_path / "store")
    store.publish_many([(adapter(seed), manifest(seed=seed), "town.ada") for seed in (0, 1)])
    publish(store, "town.ben", 2)
    store.tag("paper", store.log("town.ada")[-1].revision)
    return store


def call(*arguments: object) -> str:
    result = runner.invoke(adapters.app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_whole_store_goes_to_another_machine_and_comes_in_once(store: AdapterStore, tmp_path: Path) -> None:
    sent = json.loads(call("export", "--archive", tmp_path / "all.tar", "--store", store.root, "--json"))
    assert sent["revisions"] == store.revisions()
    assert sent["tags"] == {"paper": store.resolve("paper")}
    other = AdapterStore(tmp_path / "other")
    for _ in range(2):
        got = json.loads(call("import", tmp_path / "all.tar", "--store", other.root, "--json"))
        assert got == sent
        assert other.heads() == store.heads()
    shown = call("import", tmp_path / "all.tar", "--store", other.root, "--prefix", "guest.")
    assert "guest.town.ada" in shown
    assert other.resolve("guest.paper") == store.resolve("paper")


def test_an_archive_of_the_whole_store_leaves_out_what_only_descendants_name(
    store: AdapterStore, tmp_path: Path
) -> None:
    parent = store.heads()["town.ada"]
    child = publish(store, "child", 7, parent=parent)
    store.untag("paper")
    store.retire("town.ada")
    collect(store, Retention(retired_days=0), apply=True, now=datetime.now(UTC) + timedelta(days=1))
    assert parent in store.revisions()
    sent = json.loads(call("export", "--archive", tmp_path / "all.tar", "--store", store.root, "--json"))
    assert set(sent["revisions"]) == {child, store.heads()["town.ben"]}
    call("import", tmp_path / "all.tar", "--store", tmp_path / "other")
    assert AdapterStore(tmp_path / "other").heads() == store.heads()


def test_an_archive_takes_what_is_asked_for_and_on_request_the_history(
    store: AdapterStore, tmp_path: Path
) -> None:
    call("export", "town.ada", "--archive", tmp_path / "head.tar", "--store", store.root)
    call("export", "town.ada", "--archive", tmp_path / "all.tar", "--history", "--store", store.root)
    for name, count in (("head", 1), ("all", 2)):
        call("import", tmp_path / f"{name}.tar", "--store", tmp_path / name)
        assert len(AdapterStore(tmp_path / name).log("town.ada")) == count


def test_an_archive_for_another_base_is_refused(store: AdapterStore, tmp_path: Path) -> None:
    base = write_base(tmp_path / "my-base")
    call("export", "--archive", tmp_path / "all.tar", "--store", store.root)
    with pytest.raises(BaseMismatchError, match="my-base"):
        call("import", tmp_path / "all.tar", "--base", base, "--store", tmp_path / "other")


def test_packing_and_unpacking_in_place(store: AdapterStore) -> None:
    (packed,) = json.loads(call("pack", "--store", store.root, "--json"))
    assert packed["revisions"] == store.revisions()
    assert Path(packed["file"]).is_file()
    assert "packs/" in json.loads(call("show", "town.ben", "--store", store.root, "--json"))["path"]
    assert "3 checked, 0 damaged" in call("verify", "--store", store.root)
    (folder,) = json.loads(call("unpack", "town.ben", "--store", store.root, "--json"))
    assert same_tensors(read_peft(folder), adapter(2))
    assert str(folder) in call("unpack", "town.ben", "--store", store.root)


def test_a_packed_file_of_ones_own_becomes_folders(store: AdapterStore, tmp_path: Path) -> None:
    file = tmp_path / "crowd.safetensors"
    assert "2" in call("pack", "town.ada", "town.ben", "--out", file, "--store", store.root)
    folders = json.loads(call("unpack", "--file", file, "--out", tmp_path / "crowd", "--json"))
    assert [Path(folder).name for folder in folders] == sorted(
        store.resolve(n) for n in ("town.ada", "town.ben")
    )
    revision = json.loads(
        call("import", folders[0], "--name", "guest", "--store", tmp_path / "other", "--json")
    )
    assert revision["revision"] == Path(folders[0]).name


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["export", "town.ada"], StoreError, "a reference and a new folder, or --archive"),
        (["export", "town.ada", "out", "--history"], StoreError, "or --archive FILE"),
        (["export", "nobody", "--archive", "x.tar"], UnknownAdapterError, "nobody"),
        (["import", "x.tar", "--name", "x"], StoreError, "brings its own names"),
        (["import", "x.tar"], StoreError, "x.tar: No such file"),
        (["import", "folder"], StoreError, "imported with --name"),
        (["import", "folder", "--name", "x", "--prefix", "y."], StoreError, "--prefix is for archives"),
        (["import", "folder", "--name", "x"], UnknownAdapterError, "expected a folder written by PEFT"),
        (["unpack", "--file", "x"], StoreError, "--file FILE with --out FOLDER"),
        (["unpack", "town.ada", "--file", "x", "--out", "y"], StoreError, "--file FILE with --out FOLDER"),
    ],
)
def test_requests_that_cannot_be_meant_say_what_was_expected(
    store: AdapterStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        call(*words, "--store", store.root)


def test_a_file_that_is_no_archive_is_refused(store: AdapterStore, tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(CorruptAdapterError, match="no archive of adapters"):
        call("import", tmp_path / "adapter_model.bin", "--store", store.root)


def test_help_does_not_load_torch() -> None:
    code = (
        "import sys; from sim.cli.app import app; app(['adapters', 'pack', '--help'], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)


def test_a_packed_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere\.safetensors: No such file or directory\. Check the path"):
        call("unpack", "--file", tmp_path / "nowhere.safetensors", "--out", tmp_path / "out")
