"""Packed files: what goes in comes out, whatever was altered is refused, whatever is hostile is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
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
)
from adapters.lora.spec import LoraSpec
from adapters.safetensors_header import read_header
from adapters.store.packs.packed import PackedFile
from adapters.store.packs.writer import PackMember, pack_id, write_pack
from adapters.store.record import RevisionRecord
from adapters.store.tensors import tensor_digest
from tests.adapters.hostile import mutations
from tests.adapters.store.packs.samples import expert_adapter, pack_of, record_of, small_pack
from tests.adapters.store.samples import SPEC, adapter, manifest, rewrite, same_tensors


@pytest.fixture
def file(fast_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=fast_folder)) / "pack.safetensors"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_adapter_comes_out_bit_for_bit_with_its_record(file: Path, dtype: torch.dtype) -> None:
    packed = small_pack(file, dtype=dtype)
    with PackedFile(file) as pack:
        assert pack.revisions == tuple(sorted(packed))
        assert len(pack) == 3
        for revision, one in packed.items():
            assert revision in pack
            assert same_tensors(pack.open(revision), one)
            assert pack.open(revision).spec == one.spec
            assert pack.record(revision).revision == revision
            pack.prove(revision, again=True)


def test_experts_come_out_as_single_linears(file: Path) -> None:
    one = expert_adapter()
    (revision,) = pack_of(file, [one])
    with PackedFile(file) as pack:
        assert same_tensors(pack.open(revision), one)
        assert pack.stack().pairs["model.layers.1.mlp.experts.*.up_proj"].A.shape == (1, 3, 1, 4)


def test_all_adapters_stack_without_a_copy(file: Path) -> None:
    packed = small_pack(file)
    with PackedFile(file) as pack:
        stacks = pack.stack()
    assert stacks.revisions == tuple(sorted(packed))
    for path, stack in stacks.pairs.items():
        assert torch.equal(stack.A, torch.stack([packed[r].pairs[path].A for r in stacks.revisions]))
    storages = {stack.A.untyped_storage().data_ptr() for stack in stacks.pairs.values()}
    assert len(storages) == 1


def test_the_library_reads_the_same_values(file: Path) -> None:
    """The file is plain safetensors: one row for each adapter, ids in bytes."""
    packed = small_pack(file)
    tensors = load_file(file)
    ids = [bytes(row.tolist()).hex() for row in tensors["revisions"]]
    assert ids == sorted(packed)
    for row, revision in zip(tensors["adapters"], ids, strict=True):
        values = [t.reshape(-1) for _, pair in sorted(packed[revision].pairs.items()) for t in pair]
        assert torch.equal(row, torch.cat(values))


def test_the_same_members_in_any_order_give_the_same_file(file: Path) -> None:
    small_pack(file)
    other = file.with_name("other")
    members = [adapter(seed) for seed in range(3)]
    records = [record_of(one, seed).to_bytes() for seed, one in enumerate(members)]
    seal = write_pack(
        other,
        [
            PackMember(record, lambda one=one: one)  # type: ignore[misc]
            for record, one in reversed([*zip(records, members, strict=True)])
        ],
    )
    assert file.read_bytes() == other.read_bytes()
    assert seal.sha256 == hashlib.sha256(other.read_bytes()).hexdigest()
    assert seal.size == other.stat().st_size
    assert other.stat().st_mode & 0o777 == 0o444


def test_the_id_of_a_pack_depends_on_its_members_only() -> None:
    one, two = "0" * 64, "1" * 64
    assert pack_id([one, two]) == pack_id([two, one]) != pack_id([one])


def test_a_row_is_found_among_many(fast_folder: Path) -> None:
    """Ids are bytes: one that ends in zeros, and neighbours of every kind."""
    ids = np.sort(np.random.default_rng(0).integers(0, 2**32, 100_000).astype(">u4"))
    wanted = [f"{int(i):08x}{'0' * 56}" for i in np.unique(ids)]
    pack = PackedFile.__new__(PackedFile)
    content = bytes.fromhex("".join(wanted))
    pack._ids, pack._count = np.frombuffer(content, dtype="S32"), len(wanted)
    for row in (0, 1, 77, len(wanted) - 1):
        assert pack._find(wanted[row]) == row
    assert pack._find("f" * 64) is None
    assert pack._find(wanted[5][:-1] + "1") is None
    assert pack._find("no id") is None


def test_what_was_opened_belongs_to_the_reader(file: Path) -> None:
    """It outlives the file, and writing to it changes neither the file nor what the next reader gets."""
    packed = small_pack(file)
    before = file.read_bytes()
    revision = min(packed)
    with PackedFile(file) as pack:
        spoilt, stacks = pack.open(revision), pack.stack()
        for pair in (*spoilt.pairs.values(), *stacks.pairs.values()):
            pair.A.fill_(0)
        opened = pack.open(revision)
        assert torch.equal(
            next(iter(pack.stack().pairs.values())).A[0], next(iter(packed[revision].pairs.values())).A
        )
    assert file.read_bytes() == before
    file.chmod(0o644)
    os.truncate(file, 0)
    assert same_tensors(opened, packed[revision])


def test_what_is_not_in_the_file_is_unknown(file: Path) -> None:
    small_pack(file)
    with (
        PackedFile(file) as pack,
        pytest.raises(UnknownAdapterError, match=r"pack\.safetensors.*no revision"),
    ):
        pack.open("0" * 64)


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        (lambda: adapter(1, width=9), BaseMismatchError, "modules of F32"),
        (lambda: adapter(1, dtype=torch.float16), BaseMismatchError, "of F16"),
        (lambda: adapter(0), StoreError, "given twice"),
    ],
)
def test_mixtures_are_refused(
    file: Path, second: Callable[[], object], error: type[AdapterError], message: str
) -> None:
    one, two = adapter(0), second()
    members = [
        PackMember(record_of(a, seed).to_bytes(), lambda a=a: a)  # type: ignore[misc,arg-type]
        for seed, a in ((0, one), (0 if error is StoreError else 1, two))
    ]
    with pytest.raises(error, match=message):
        write_pack(file, members)


def test_other_bases_and_specs_are_refused_by_name(file: Path) -> None:
    one = adapter()
    for other in (
        manifest(seed=1, base_fingerprint="0" * 64, base_name="other"),
        manifest(seed=1, spec=LoraSpec(2, 8.0, SPEC.targets)),
    ):
        records = [record_of(one), RevisionRecord(other, tensor_digest(one), {})]
        with pytest.raises(BaseMismatchError, match="one base and shape: pack them into separate files"):
            write_pack(file, [PackMember(record.to_bytes(), lambda: one) for record in records])
    with pytest.raises(StoreError, match="no adapters given"):
        write_pack(file, [])


def test_a_member_that_is_not_what_its_record_says_is_refused(file: Path) -> None:
    with pytest.raises(CorruptAdapterError, match="not those of its record"):
        write_pack(file, [PackMember(record_of(adapter(0)).to_bytes(), lambda: adapter(1))])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_touches_nothing_that_is_read(file: Path, place: float, bit: int) -> None:
    """What still opens is what went in: header padding is the only part without a meaning."""
    file.unlink(missing_ok=True)
    packed = small_pack(file)
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    rewrite(file, bytes(content))
    try:
        pack = PackedFile(file)
    except AdapterError as error:
        assert str(file) in str(error)
        return
    for revision, one in packed.items():
        try:
            opened = pack.open(revision)
        except (CorruptAdapterError, UnknownAdapterError) as error:
            assert str(file) in str(error)
        else:
            assert same_tensors(opened, one)
            assert pack.record(revision) == record_of(one, pack.record(revision).manifest.seed)


def test_proofs_end_when_the_file_is_touched(file: Path) -> None:
    (revision, *_) = packed = small_pack(file)
    pack = PackedFile(file)
    pack.open(revision)
    content = file.read_bytes()
    place = read_header(io.BytesIO(content), len(content)).tensors["adapters"]
    rewrite(file, content[: place.start] + bytes(place.stop - place.start) + content[place.stop :])
    with pytest.raises(CorruptAdapterError, match=r"tensors of .* are not those of its record"):
        pack.open(revision)
    assert len(packed) == 3


def test_a_file_cut_while_it_is_open_is_an_error_and_no_crash(file: Path) -> None:
    (revision, *_) = small_pack(file)
    pack = PackedFile(file)
    file.chmod(0o644)
    os.truncate(file, 100)
    for read in (pack.open, pack.record, pack.prove):
        with pytest.raises(CorruptAdapterError, match="has 100 bytes now"):
            read(revision)
    with pytest.raises(CorruptAdapterError, match="has 100 bytes now"):
        pack.stack(prove=False)


def edited(file: Path, *, metadata: dict[str, str] | None = None, **tensors: torch.Tensor | None) -> None:
    """Rewrite the file by the library, with other tensors or metadata."""
    content = file.read_bytes()
    header = read_header(io.BytesIO(content), len(content))
    values = {**load_file(file), **tensors}
    file.unlink()
    kept = {name: tensor.clone() for name, tensor in values.items() if tensor is not None}
    save_file(kept, file, metadata={**header.metadata, **(metadata or {})})


def nan_everywhere(file: Path) -> None:
    """With digests that agree: the author of the file made them."""
    file.unlink()
    one = adapter()
    for pair in one.pairs.values():
        pair.A.fill_(torch.nan)
    pack_of(file, [one])


U8 = torch.uint8
HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (lambda f: rewrite(f, b""), "states a header of 0 bytes"),
    "text": (lambda f: rewrite(f, b"PK\3\4" + bytes(100)), "states a header"),
    "other safetensors": (
        lambda f: (f.unlink(), save_file({"a": torch.zeros(2)}, f)),  # type: ignore[dict-item]
        "no packed adapters of Plures",
    ),
    "pipe": (lambda f: (f.unlink(), os.mkfifo(f)), "not a plain file"),  # type: ignore[dict-item]
    "link": (lambda f: (f.rename(f.with_name("x")), f.symlink_to(f.with_name("x"))), "is a link"),  # type: ignore[dict-item]
    "no records": (lambda f: edited(f, records=None), "holds the tensors"),
    "more tensors": (lambda f: edited(f, more=torch.zeros(1)), "holds the tensors"),
    "no rows": (
        lambda f: edited(f, revisions=torch.zeros(0, 32, dtype=U8)),
        "expected",
    ),
    "flat rows": (lambda f: edited(f, adapters=load_file(f)["adapters"].reshape(-1)), "expected F32"),
    "other dtype": (lambda f: edited(f, adapters=load_file(f)["adapters"].half()), "expected F32"),
    "ids out of order": (lambda f: edited(f, revisions=load_file(f)["revisions"].flip(0)), "out of order"),
    "an id twice": (
        lambda f: edited(f, revisions=load_file(f)["revisions"][:1].repeat(3, 1)),
        "out of order, or one twice",
    ),
    "ends go back": (
        lambda f: edited(f, record_ends=load_file(f)["record_ends"].flip(0)),
        "records that overlap",
    ),
    "ends too far": (
        lambda f: edited(f, record_ends=load_file(f)["record_ends"] * 9),
        "records that overlap",
    ),
    "ends far below": (
        lambda f: edited(f, record_ends=load_file(f)["record_ends"] - (1 << 62)),
        "records that overlap",
    ),
    "huge layout": (
        lambda f: edited(
            f,
            metadata={
                "layout": json.dumps(
                    {"spec": SPEC.as_dict(), "dtype": "F32", "modules": [["a.experts.*.q", 1 << 60, 1, 1]]}
                )
            },
        ),
        "more than",
    ),
    "deep layout": (lambda f: edited(f, metadata={"layout": "[" * 9999}), "nested too deeply"),
    "no layout": (lambda f: edited(f, metadata={"layout": ""}), "not JSON"),
    "NaN with agreeing digests": (nan_everywhere, "NaN or infinity"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_with_one_clear_error(file: Path, kind: str) -> None:
    harm, message = HOSTILE[kind]
    small_pack(file)
    harm(file)
    with pytest.raises(CorruptAdapterError, match=message) as caught:
        pack = PackedFile(file)
        pack.open(pack.revisions[0])
    assert str(file) in str(caught.value)
    assert "Copy the file again" in str(caught.value)


def test_a_file_of_a_newer_version_asks_for_an_upgrade(file: Path) -> None:
    small_pack(file)
    edited(file, metadata={"version": "99"})
    with pytest.raises(StoreError, match=r"pack\.safetensors: has pack format '99'.*Upgrade"):
        PackedFile(file)


def test_rows_swapped_between_ids_are_refused(file: Path) -> None:
    """Every hash in the file agrees with its neighbours; the chain id → record → tensors does not."""
    packed = small_pack(file)
    edited(file, adapters=load_file(file)["adapters"].flip(0))
    pack = PackedFile(file)
    with pytest.raises(CorruptAdapterError, match="tensors of"):
        pack.open(min(packed))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_do_worse_than_being_refused(file: Path, data: st.DataObject) -> None:
    """Mutations of a valid file: our own errors, or adapters whose digests are those of their ids."""
    if not (valid := file.with_name("valid")).exists():
        small_pack(valid, count=2)
    shutil.copyfile(valid, file)
    rewrite(file, data.draw(mutations(valid.read_bytes())))
    try:
        pack = PackedFile(file)
        for revision in pack.revisions:
            assert tensor_digest(pack.open(revision)) == pack.record(revision).tensors
    except AdapterError as error:
        assert str(file) in str(error)
