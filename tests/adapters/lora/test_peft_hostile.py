"""Hostile PEFT folders: whatever the bytes, our own errors or an adapter that keeps every promise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from adapters.errors import AdapterError, CorruptAdapterError, UnsupportedAdapterError
from adapters.lora.peft_io import CONFIG_NAME, WEIGHTS_NAME, parse_peft, peft_files, read_peft, write_peft
from adapters.store.tensors import check_tensors
from tests.adapters.hostile import mutations, nested, short
from tests.adapters.store.samples import adapter, same_tensors

FILES = peft_files(adapter(), base_ref="tiny")
KEY = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_peft(adapter(), tmp_path / "peft", base_ref="tiny")
    return tmp_path / "peft"


def config(**changes: object) -> bytes:
    return json.dumps({**json.loads(FILES[CONFIG_NAME]), **changes}).encode()


def rename(folder: Path, name: str) -> None:
    tensors = load_file(folder / WEIGHTS_NAME)
    tensors[name] = tensors.pop(KEY)
    save_file(tensors, folder / WEIGHTS_NAME)


def link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to(path.with_name("aside"))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def test_the_bytes_of_a_folder_are_those_that_are_written(folder: Path) -> None:
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_a_folder_is_read_from_its_parts(folder: Path) -> None:
    parsed = parse_peft(FILES[CONFIG_NAME], load_file(folder / WEIGHTS_NAME), where=folder)
    assert same_tensors(parsed, adapter())


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
@pytest.mark.parametrize(
    ("harm", "message"), [(link, "is a link"), (pipe, "not a plain file"), (device, "is a link")]
)
def test_only_plain_files_are_read(
    folder: Path, name: str, harm: Callable[[Path], None], message: str
) -> None:
    harm(folder / name)
    with pytest.raises(CorruptAdapterError, match=f"{name}.*{message}"):
        read_peft(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (config(r=10**400), "r, lora_alpha or use_rslora"),
        (config(r=513), "from 1 to 512"),
        (config(r=-2), "from 1 to 512"),
        (config(r=True), "r, lora_alpha or use_rslora"),
        (config(r=2.0), "r, lora_alpha or use_rslora"),
        (config(lora_alpha=10**400), "alpha: got"),
        (config(lora_alpha=-1), "alpha: got"),
        (config(lora_alpha="4"), "r, lora_alpha or use_rslora"),
        (config(use_rslora="yes"), "r, lora_alpha or use_rslora"),
        (config(target_modules=[1, "q_proj"]), "do not belong together"),
        (config(target_modules=[["q_proj"]]), "do not belong together"),
        (config(lora_alpha=nested(80)), "nested too deeply"),
        (b'{"r": 2, "r": 4}', "twice"),
        (b'{"r": 1e999}', "too large"),
        (b'{"r": NaN}', "NaN"),
        (b"\xff\xfe{}", "not JSON"),
        (b" " * (17 << 20), "more than"),
    ],
    ids=short,
)
def test_hostile_configs_are_refused_by_name(folder: Path, content: bytes, message: str) -> None:
    (folder / CONFIG_NAME).write_bytes(content)
    with pytest.raises(CorruptAdapterError, match=f"{CONFIG_NAME}.*{message}"):
        read_peft(folder)


@pytest.mark.parametrize(
    "name",
    [
        "base_model.model.../../etc.lora_A.weight",
        "base_model.model.model layers.lora_A.weight",
        "base_model.model..lora_A.weight",
        "base_model.model.a.lora_C.weight",
        "base_model.model.a.lora_A.weight ",
        "a" * 500,
    ],
)
def test_tensors_that_are_no_factors_are_refused_by_name(folder: Path, name: str) -> None:
    rename(folder, name)
    with pytest.raises(UnsupportedAdapterError, match="is no LoRA factor"):
        read_peft(folder)


def test_dtypes_are_judged_before_any_value_is_read(folder: Path) -> None:
    """A dtype that the library cannot even turn into a tensor, such as one of a later version."""
    content = FILES[WEIGHTS_NAME].replace(b'"F32"', b'"F64"', 1)
    for name, expected in (
        (b"F64", CorruptAdapterError),
        (b"I64", CorruptAdapterError),
        (b"U32", UnsupportedAdapterError),
    ):
        (folder / WEIGHTS_NAME).write_bytes(content.replace(b"F64", name, 1))
        with pytest.raises(expected, match=WEIGHTS_NAME):
            read_peft(folder)


def test_empty_factors_are_refused(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS_NAME)
    save_file({**tensors, KEY: torch.zeros(2, 0)}, folder / WEIGHTS_NAME)
    with pytest.raises(CorruptAdapterError, match="expected"):
        read_peft(folder)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_do_worse_than_being_refused(folder: Path, data: st.DataObject) -> None:
    for name, valid in FILES.items():
        content = data.draw(mutations(valid) | st.just(valid) | st.binary(max_size=100))
        (folder / name).write_bytes(content)
    try:
        read = read_peft(folder)
    except AdapterError as error:
        assert str(folder) in str(error)
    else:
        check_tensors(read)
