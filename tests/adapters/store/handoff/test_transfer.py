from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from adapters.errors import (
    AdapterError,
    BaseMismatchError,
    CorruptAdapterError,
    StoreError,
    UnknownAdapterError,
    UnsupportedAdapterError,
)
from adapters.lora.peft_io import write_peft
from adapters.store import AdapterStore, Manifest
from adapters.store.handoff.transfer import IMPORTED_RECIPE, ImportedBase, export_folder, import_folder
from adapters.store.record import revision_id
from tests.adapters.hostile import mutations, nested
from tests.adapters.store.samples import FINGERPRINT, adapter, publish, rewrite, same_tensors

BASE = ImportedBase("tiny-moe", FINGERPRINT)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A PEFT folder without a manifest."""
    write_peft(adapter(), tmp_path / "foreign", base_ref="somewhere/else")
    return tmp_path / "foreign"


def test_an_adapter_handed_over_keeps_tensors_provenance_and_id(store: AdapterStore, tmp_path: Path) -> None:
    revision = publish(store, "ada", parent="0" * 64, metrics={"loss": 1.5})
    export_folder(store, revision, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").stat().st_mode & 0o200, "a copy is the user's own to change"
    other = AdapterStore(tmp_path / "other")
    assert import_folder(other, tmp_path / "out", name="guest", base=BASE) == revision
    assert other.manifest(revision) == store.manifest(revision)
    assert same_tensors(other.open(revision), adapter())
    assert import_folder(other, store.path(revision), name="straight") == revision


def test_a_foreign_folder_comes_in_bit_for_bit_with_its_training_unknown(
    store: AdapterStore, foreign: Path
) -> None:
    revision = import_folder(store, foreign, name="guest", base=BASE)
    assert same_tensors(store.open(revision), adapter())
    manifest = store.manifest(revision)
    assert (manifest.base_name, manifest.base_fingerprint) == tuple(BASE)
    assert (manifest.recipe, manifest.data_hash) == (IMPORTED_RECIPE, "")


def test_a_foreign_folder_needs_its_base_named(store: AdapterStore, foreign: Path) -> None:
    with pytest.raises(StoreError, match="base is not known"):
        import_folder(store, foreign, name="guest")


def test_an_exported_folder_does_not_come_in_under_another_base(store: AdapterStore, tmp_path: Path) -> None:
    export_folder(store, publish(store, "ada"), tmp_path / "out")
    with pytest.raises(BaseMismatchError, match=FINGERPRINT):
        import_folder(store, tmp_path / "out", name="guest", base=ImportedBase("tiny-moe", "0" * 64))


def test_an_exported_folder_that_was_changed_is_refused(store: AdapterStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_folder(store, publish(store, "ada"), out)
    tensors = load_file(out / "adapter_model.safetensors")
    save_file({key: tensor * 2 for key, tensor in tensors.items()}, out / "adapter_model.safetensors")
    with pytest.raises(CorruptAdapterError, match=r"adapter_model\.safetensors"):
        import_folder(store, out, name="guest")
    (out / "manifest.json").write_text("{")
    with pytest.raises(CorruptAdapterError, match=r"manifest\.json"):
        import_folder(store, out, name="guest")


def test_seals_that_were_forged_with_the_files_are_refused(store: AdapterStore, tmp_path: Path) -> None:
    """The file hashes agree; the tensors' own digest does not."""
    import hashlib

    out = tmp_path / "out"
    export_folder(store, publish(store, "ada"), out)
    file = out / "adapter_model.safetensors"
    save_file({key: tensor * 2 for key, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    record = json.loads((out / "manifest.json").read_text())
    content = file.read_bytes()
    record["files"][file.name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (out / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(CorruptAdapterError, match="tensors are not those of the manifest"):
        import_folder(store, out, name="guest")


def test_files_named_by_a_hostile_manifest_are_not_read(store: AdapterStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_folder(store, publish(store, "ada"), out)
    record = json.loads((out / "manifest.json").read_text())
    record["files"] = {"../../../etc/passwd": {"size": 1, "sha256": "0" * 64}}
    (out / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(CorruptAdapterError, match="lists"):
        import_folder(store, out, name="guest")


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (lambda f: (f / "adapter_config.json").unlink(), UnknownAdapterError),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"\xff" * 64), CorruptAdapterError),
        (lambda f: (f / "adapter_config.json").write_text("{"), CorruptAdapterError),
        (
            lambda f: save_file(
                {k: t.fill_(float("nan")) for k, t in load_file(f / "adapter_model.safetensors").items()},
                f / "adapter_model.safetensors",
            ),
            CorruptAdapterError,
        ),
        (
            lambda f: save_file(
                {k: t.to(torch.int8) for k, t in load_file(f / "adapter_model.safetensors").items()},
                f / "adapter_model.safetensors",
            ),
            UnsupportedAdapterError,
        ),
        (shutil.rmtree, UnknownAdapterError),
    ],
)
def test_hostile_or_broken_folders_are_refused_and_nothing_is_published(
    store: AdapterStore, foreign: Path, harm: object, expected: type[AdapterError]
) -> None:
    assert callable(harm)
    harm(foreign)
    with pytest.raises(expected, match=str(foreign)):
        import_folder(store, foreign, name="guest", base=BASE)
    assert not store.root.exists()


def test_export_takes_an_empty_folder_and_spares_a_full_one(store: AdapterStore, tmp_path: Path) -> None:
    revision = publish(store, "ada")
    (tmp_path / "empty").mkdir()
    export_folder(store, revision, tmp_path / "empty")
    with pytest.raises(StoreError, match="holds something"):
        export_folder(store, revision, tmp_path / "empty")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="holds something"):
        export_folder(store, revision, tmp_path / "link")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "link"]


def test_a_damaged_revision_is_not_exported(store: AdapterStore, tmp_path: Path) -> None:
    revision = publish(store, "ada")
    rewrite(store.path(revision) / "adapter_config.json", b"{}")
    with pytest.raises(CorruptAdapterError):
        export_folder(store, revision, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_manifest_does_worse_than_being_refused(fast_folder: Path, data: st.DataObject) -> None:
    """Mutations of a whole manifest, and of one whose id and seals agree again."""
    out = fast_folder / "mutated"
    if not out.exists():
        source = AdapterStore(fast_folder / "source")
        export_folder(source, publish(source, "ada", metrics={"loss": 1.5}), out)
        shutil.copyfile(out / "manifest.json", fast_folder / "valid.json")
    valid = (fast_folder / "valid.json").read_bytes()
    content = data.draw(mutations(valid) | changed_fields(json.loads(valid)))
    (out / "manifest.json").write_bytes(content)
    store = AdapterStore(Path(tempfile.mkdtemp(dir=fast_folder)) / "store")
    try:
        revision = import_folder(store, out, name="guest")
    except AdapterError as error:
        assert "manifest.json" in str(error) or str(out) in str(error)
        assert not store.root.exists()
    else:
        store.verify(revision)
        assert store.list()[0].revision == revision


@st.composite
def changed_fields(draw: st.DrawFn, value: dict[str, Any]) -> bytes:
    """Any field given any value, and the id made to agree where that can be."""
    manifest = value["manifest"]
    where = draw(
        st.sampled_from([manifest, manifest["spec"], manifest["recipe"], manifest["metrics"], value])
    )
    key = draw(st.sampled_from([*where, "more", "\ud800", ""]))
    where[key] = draw(st.sampled_from(STRANGE))
    with contextlib.suppress(Exception):  # what cannot have an id keeps the old one
        value["revision"] = revision_id(Manifest.from_dict(manifest), value["tensors"])
    return json.dumps(value).encode()


STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    10**400,
    1e308,
    float("nan"),
    "",
    "x" * 1000,
    "\ud800",
    "a\nb",
    "0" * 64,
    [],
    {},
    [[]],
    nested(50),
    nested(5000 // 64),
)
