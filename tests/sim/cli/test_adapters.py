from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.errors import StoreError, UnknownAdapterError
from adapters.lora.peft_io import write_peft
from adapters.store import AdapterStore
from sim.cli.app import adapters
from tests.adapters.store.samples import adapter, manifest, publish, rewrite
from tests.adapters.tiny import write_base

app = adapters.app
runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    """town.ada with two revisions, the first tagged; town.ben."""
    store = AdapterStore(tmp_path / "store")
    store.publish_many([(adapter(seed), manifest(seed=seed), "town.ada") for seed in (0, 1)])
    publish(store, "town.ben", 2, metrics={"loss": 2.5})
    store.tag("paper", store.publish(adapter(0), manifest(seed=0), name="first"))
    return store


def call(*arguments: object, status: int = 0) -> str:
    result = runner.invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def test_list_shows_heads_and_on_request_the_history(store: AdapterStore) -> None:
    shown = call("list", "--store", store.root)
    for name, revision in store.heads().items():
        assert name in shown
        assert revision[:12] in shown
    entries = json.loads(call("list", "--store", store.root, "--prefix", "town.", "--history", "--json"))
    assert [(e["name"], e["sequence"], e["is_head"]) for e in entries] == [
        ("town.ada", 2, True),
        ("town.ada", 1, False),
        ("town.ben", 1, True),
    ]
    assert "earlier" in call("list", "--store", store.root, "--tag", "paper")
    assert json.loads(call("list", "--store", store.root, "--base", "other", "--json")) == []


def test_an_empty_list_says_what_the_filter_misspelt(store: AdapterStore) -> None:
    result = runner.invoke(app, ["list", "--store", str(store.root), "--metric", "los<=9", "--json"])
    assert json.loads(result.stdout) == []
    assert result.stderr == "no metric 'los' here; did you mean loss?\n"


def test_a_file_in_the_place_of_a_store_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="no adapter store there"):
        call("list", "--store", tmp_path / "file")


def test_the_store_may_come_from_the_environment(
    store: AdapterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLURES_STORE", str(store.root))
    assert len(json.loads(call("list", "--json"))) == 3


def test_show_tells_the_provenance(store: AdapterStore) -> None:
    facts = json.loads(call("show", "town.ben", "--store", store.root, "--json"))
    assert facts["revision"] == store.resolve("town.ben")
    assert Path(facts["path"]).is_dir()
    assert facts["metrics"] == {"loss": 2.5}
    assert facts["names"] == ["town.ben (head)"]
    shown = call("show", "paper", "--store", store.root)
    assert "town.ada (earlier)" in shown
    assert "learning_rate" in shown


def test_verify_counts_and_names_what_is_damaged(store: AdapterStore) -> None:
    assert "3 checked, 0 damaged" in call("verify", "--store", store.root)
    revision = store.resolve("town.ben")
    rewrite(store.path(revision) / "adapter_config.json", b"{}")
    assert "3 checked, 1 damaged" in call("verify", "--store", store.root, status=1)
    assert "1 checked, 0 damaged" in call("verify", "town.ada", "--store", store.root)
    found = json.loads(call("verify", "town.ben", "--store", store.root, "--json", status=1))
    assert found["checked"] == 1
    assert "adapter_config.json" in found["damaged"][revision]


def test_export_and_import_hand_an_adapter_over(store: AdapterStore, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    call("export", "town.ada", out, "--store", store.root)
    assert store.resolve("town.ada") in call("import", out, "--name", "guest", "--store", other)
    assert AdapterStore(other).heads() == {"guest": store.resolve("town.ada")}


def test_import_takes_a_peft_folder_for_a_named_base(tmp_path: Path) -> None:
    base = write_base(tmp_path / "my-base")
    write_peft(adapter(), tmp_path / "foreign", base_ref="my-base")
    arguments = (
        "import",
        tmp_path / "foreign",
        "--name",
        "guest",
        "--base",
        base,
        "--store",
        tmp_path / "store",
    )
    revision = json.loads(call(*arguments, "--json"))["revision"]
    from adapters.bases.loader import fingerprint

    kept = AdapterStore(tmp_path / "store").manifest(revision)
    assert (kept.base_name, kept.base_fingerprint) == ("my-base", fingerprint(base))


def test_errors_are_raised_for_the_main_program_to_print(store: AdapterStore, tmp_path: Path) -> None:
    with pytest.raises(UnknownAdapterError, match=r"Did you mean town\.ada"):
        call("show", "town.adda", "--store", store.root)
    with pytest.raises(StoreError, match="no adapter store there"):
        call("list", "--store", tmp_path / "nowhere")


@pytest.mark.parametrize("command", [c.name for c in app.registered_commands])
def test_every_command_explains_itself_with_an_example(command: str | None) -> None:
    assert f"Example: plures adapters {command}" in call(command, "--help")


def test_listing_does_not_load_torch(store: AdapterStore) -> None:
    code = (
        "import sys; from sim.cli.app import adapters; adapters.app(sys.argv[1:], standalone_mode=False); "
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    for arguments in (["list"], ["show", "town.ada"]):
        command = [sys.executable, "-c", code, *arguments, "--store", str(store.root), "--json"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
