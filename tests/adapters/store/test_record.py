from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.store.record import RECORD_FORMAT, FileSeal, NewerFormatError, RevisionRecord, revision_id
from tests.adapters.store.samples import manifest

RECORD = RevisionRecord(manifest(metrics={"loss": 1.5}), "12" * 32, {"a": FileSeal(3, "34" * 32)})


def changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(RECORD.to_bytes()), **changes}).encode()


def test_a_record_reads_back_equal() -> None:
    assert RevisionRecord.from_bytes(RECORD.to_bytes()) == RECORD


def test_the_id_is_the_hash_of_these_bytes() -> None:
    """Stores on disk and hand-offs between machines depend on it: never change the bytes, only the format number."""
    content = (
        '{"manifest":{"base_fingerprint":"AB","data_hash":"CD","format":1,"kind":"personal","parent":null,'
        '"recipe":{"epochs":2,"learning_rate":0.01},"seed":0,'
        '"spec":{"alpha":4.0,"rank":2,"rslora":false,"targets":["q_proj","v_proj"]}},"tensors":"12"}'
    )
    content = content.replace("AB", "ab" * 32).replace("CD", "cd" * 32).replace('"12"', f'"{"12" * 32}"')
    assert revision_id(manifest(), "12" * 32) == hashlib.sha256(content.encode()).hexdigest()


def test_a_newer_record_says_so_before_anything_else() -> None:
    with pytest.raises(NewerFormatError, match=f"format {RECORD_FORMAT + 1}.*Upgrade"):
        RevisionRecord.from_bytes(changed(format=RECORD_FORMAT + 1, manifest="of another form"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"a": 1}',
        b"[" * 100_000,
        changed(format="1"),
        changed(manifest=None),
        changed(manifest={}),
        changed(files=None),
        changed(files={"a": {"size": 3}}),
        changed(files={"a": {"size": 3, "sha256": "short"}}),
        changed(files={"a": {"size": "3", "sha256": "34" * 32}}),
        changed(tensors="56" * 32),
        changed(revision="56" * 32),
        changed(manifest={**manifest().as_dict(), "seed": 5}),
        changed(manifest={**manifest().as_dict(), "metrics": {"loss": float("nan")}}),
    ],
)
def test_what_is_no_record_is_refused_as_such(content: bytes) -> None:
    with pytest.raises(ValueError):
        RevisionRecord.from_bytes(content)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_record_is_refused_or_keeps_its_identity(data: st.DataObject) -> None:
    """Only labels may change unnoticed here; the catalog's hash of the whole file guards those."""
    content = bytearray(RECORD.to_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        record = RevisionRecord.from_bytes(bytes(content))
    except ValueError:
        return
    assert record.revision == RECORD.revision
