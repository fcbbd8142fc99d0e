"""The shelf: new name and path per revision, whole or not at all, shared by processes, deleted late."""

from __future__ import annotations

import errno
import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.bases.loader import Base
from adapters.engines.vllm.residency import shelf as shelf_module
from adapters.engines.vllm.residency.shelf import AdapterShelf, Carries
from adapters.errors import StoreError, UnknownAdapterError, UnsupportedAdapterError
from adapters.lora.adapter import Adapter
from adapters.lora.peft_io import read_peft
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from tests.adapters.engines.random_adapters import Shelf

REVISION = "3f" * 32


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def zero(base: Base) -> Adapter:
    return zero_adapter(base.skeleton, LoraSpec())


@pytest.fixture
def store(adapters: dict[str, Adapter]) -> Shelf:
    return Shelf({REVISION: adapters["rev-0"], "other": adapters["rev-1"], "../../etc": adapters["rev-2"]})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, store: Shelf, zero: Adapter, clock: Clock) -> Callable[..., AdapterShelf]:
    """Shelves of one folder, as several processes would have them."""

    def shelf(**changes: object) -> AdapterShelf:
        settings = {"zero": zero, "grace": 60.0, "clock": clock} | changes
        return AdapterShelf(tmp_path / "shelf", store, **settings)  # type: ignore[arg-type]

    return shelf


def entries(shelf: AdapterShelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir() if not path.name.startswith(".users"))


def test_what_is_placed_is_the_adapter_bit_for_bit(make, adapters) -> None:
    placed = make().place(REVISION)
    found = read_peft(placed.path)
    assert found.spec == adapters["rev-0"].spec
    for path, pair in adapters["rev-0"].pairs.items():
        assert torch.equal(found.pairs[path].A, pair.A)
        assert torch.equal(found.pairs[path].B, pair.B)


def test_a_revision_has_a_name_and_a_path_of_its_own_and_keeps_them(make, store) -> None:
    shelf = make()
    first, second = shelf.place(REVISION), shelf.place("other")
    assert first.name != second.name
    assert first.path != second.path
    assert (shelf.place(REVISION), make().place(REVISION)) == (first, first)
    assert first.name == shelf.name(REVISION)
    assert store.opened.count(REVISION) == 2  # once by each shelf


@given(st.text(min_size=1, max_size=200))
def test_no_text_of_a_user_gets_into_a_name(revision: str) -> None:
    """Trap 8: vLLM joins names to paths."""
    zero = Adapter(LoraSpec(), {})
    shelf = AdapterShelf(Path("/nowhere/shelf"), Shelf({}), zero=zero)
    assert re.fullmatch(r"a-[0-9a-f]{32}-[0-9a-f]{8}", shelf.name(revision))


def test_a_name_belongs_to_one_path_only(make, tmp_path: Path) -> None:
    """A server that sees the shelf elsewhere, or another shelf, gets other names."""
    here, there = make(), make(server_folder=Path("/adapters"))
    assert here.name(REVISION) != there.name(REVISION)
    placed = there.place(REVISION)
    assert placed.path == Path("/adapters") / placed.name
    assert (there.folder / placed.name / "adapter_config.json").exists()
    assert there.owns(*placed)
    assert not here.owns(*placed)
    assert not there.owns(placed.name, Path("/elsewhere") / placed.name)


def test_only_plain_lora_is_written(make) -> None:
    """Trap 9: what vLLM rejects, or reads in its own way, is not in the config."""
    config = json.loads((make().place(REVISION).path / "adapter_config.json").read_text())
    assert (config["use_dora"], config["lora_bias"], config["bias"]) == (False, False, "none")
    assert config["init_lora_weights"] is True
    assert (config["rank_pattern"], config["alpha_pattern"], config["modules_to_save"]) == ({}, {}, None)


def test_the_zero_adapter_has_the_shape_of_the_base_and_changes_nothing(make, base: Base) -> None:
    shelf = make()
    placed = shelf.zero()
    found = read_peft(placed.path)
    linears = dict(base.skeleton.named_modules())
    assert placed.name == shelf.zero_name
    assert len(found.pairs) == 4 * base.config.num_hidden_layers
    for path, (A, B) in found.pairs.items():
        assert (A.shape[1], B.shape[0]) == (linears[path].in_features, linears[path].out_features)
        assert not A.any()
        assert not B.any()


def test_an_adapter_that_the_server_cannot_hold_is_not_placed(make) -> None:
    with pytest.raises(UnsupportedAdapterError, match="--max-lora-rank"):
        make(carries=Carries(rank=1)).place(REVISION)
    with pytest.raises(UnsupportedAdapterError, match=r"o_proj.*--lora-target-modules"):
        make(carries=Carries(rank=8, targets=("q_proj", "k_proj", "v_proj"))).place(REVISION)
    assert make(carries=Carries(rank=4, targets=("q_proj", "k_proj", "v_proj", "o_proj"))).place(REVISION)


def test_an_unknown_revision_leaves_no_trace(make) -> None:
    shelf = make()
    with pytest.raises(UnknownAdapterError):
        shelf.place("nobody")
    assert not shelf.folder.exists()


def test_a_folder_that_is_there_is_proved_and_used_again(make) -> None:
    placed = make().place(REVISION)
    before = (placed.path / "adapter_model.safetensors").stat().st_ino
    make().place(REVISION)
    assert (placed.path / "adapter_model.safetensors").stat().st_ino == before


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "altered", "missing"])
def test_a_damaged_folder_is_mended(make, name: str, damage: str) -> None:
    placed = make().place(REVISION)
    file = placed.path / name
    sound = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(sound[:-1])
        case "altered":
            file.write_bytes(bytes([sound[0] ^ 1]) + sound[1:])
        case "missing":
            file.unlink()
    shelf = make()
    assert shelf.place(REVISION) == placed
    assert file.read_bytes() == sound
    assert entries(shelf) == [placed.name]


def test_a_full_disk_leaves_nothing_half_written(make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folders: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "shelf")

    shelf = make()
    monkeypatch.setattr(shelf_module, "sync_folders", full)
    with pytest.raises(StoreError, match=r"No space left on device.*Check free space"):
        shelf.place(REVISION)
    assert entries(shelf) == []
    monkeypatch.undo()
    assert entries(shelf) == [] != [shelf.place(REVISION).name]


def test_a_file_that_can_be_written_only_in_part_does_not_appear(make) -> None:
    """The system refuses in the middle of the weights, as it does when space runs out there."""
    shelf = make()
    shelf.zero()
    before = entries(shelf)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(StoreError, match="File too large"):
            shelf.place(REVISION)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert entries(shelf) == before
    assert shelf.place(REVISION).path.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, store: Shelf, zero: Adapter) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        AdapterShelf(tmp_path / "file" / "shelf", store, zero=zero).place(REVISION)


def test_a_folder_outlives_its_name_by_the_grace(make, clock: Clock) -> None:
    """Trap 4: requests on their way may still read it."""
    shelf = make()
    placed = shelf.place(REVISION)
    shelf.retire(placed.name)
    clock.now = 59
    assert shelf.sweep() == []
    assert placed.path.exists()
    clock.now = 60
    assert shelf.sweep() == [placed.name]
    assert entries(shelf) == []
    assert shelf.place(REVISION) == placed
    assert placed.path.exists()


def test_a_name_that_is_used_again_is_not_deleted(make, clock: Clock) -> None:
    shelf = make()
    placed = shelf.place(REVISION)
    shelf.retire(placed.name)
    shelf.place(REVISION)
    clock.now = 1000
    assert shelf.sweep() == []
    assert placed.path.exists()


def test_what_another_user_needs_is_not_deleted(make, clock: Clock) -> None:
    first, second = make(), make()
    placed = first.place(REVISION)
    second.place(REVISION)
    first.retire(placed.name)
    clock.now = 60
    assert first.sweep() == []
    assert placed.path.exists()
    second.retire(placed.name)
    clock.now = 120
    assert second.sweep() == [placed.name]
    assert not placed.path.exists()


def test_the_mark_of_a_dead_process_counts_no_more(make, clock: Clock, tmp_path: Path) -> None:
    shelf = make()
    placed = shelf.place(REVISION)
    program = (
        "import os, sys; from pathlib import Path; from adapters.engines.vllm.residency.shelf_users import ShelfUsers\n"
        f"users = ShelfUsers(Path({str(shelf.folder / '.users')!r})); users.join({placed.name!r}); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    assert sum(path.is_dir() for path in (shelf.folder / ".users").iterdir()) == 2
    shelf.retire(placed.name)
    clock.now = 60
    assert shelf.sweep() == [placed.name]
    assert sum(path.is_dir() for path in (shelf.folder / ".users").iterdir()) == 1


def test_closing_leaves_the_folders_for_the_next_run(make) -> None:
    shelf = make()
    placed = shelf.place(REVISION)
    shelf.close()
    shelf.close()
    assert placed.path.exists()
    assert not any(path.is_dir() for path in (shelf.folder / ".users").iterdir())
    assert make().place(REVISION) == placed


def test_closing_after_the_folder_was_removed_is_fine(make) -> None:
    shelf = make()
    shelf.place(REVISION)
    shutil.rmtree(shelf.folder)
    shelf.close()


def test_two_processes_at_once_place_the_same_adapter_whole(make, adapters) -> None:
    """Many shelves of one folder, each in a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    shelves = [make() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        placed = set(pool.map(lambda shelf: shelf.place(REVISION), shelves))
    assert len(placed) == 1
    assert read_peft(placed.pop().path).spec == adapters["rev-0"].spec
    assert len(entries(shelves[0])) == 1


def test_zero_adapters_of_other_shapes_have_other_names(make, zero: Adapter) -> None:
    other = replace(zero, spec=LoraSpec(alpha=8))
    assert make().zero_name != make(zero=other).zero_name


def test_a_negative_grace_is_refused(make) -> None:
    with pytest.raises(ValueError, match="grace"):
        make(grace=-1.0)
