"""Whether a server is the one that was meant: asked before anything is sent that costs time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.engines.vllm.chat import RemoteBase
from adapters.engines.vllm.client.answers import ModelCard
from adapters.engines.vllm.client.client import VllmClient
from adapters.engines.vllm.client.faults import RejectedError
from adapters.engines.vllm.server.served_base import FINGERPRINT_DIGITS
from adapters.errors import ServerError

if TYPE_CHECKING:
    from adapters.bases.loader import Base

_FINGERPRINT = re.compile(rf"@([0-9a-f]{{{FINGERPRINT_DIGITS}}})$")
_SAMPLE = 'Plures: {"text": "Grüße, 12 345!"}\n\t去 🙂 '
"""Differs between any two tokenizers that are not the same."""


class Met(NamedTuple):
    """What a server says of itself.

    Args:
        card: of its base.
        context: tokens of prompt and reply that it takes; None where it does not say.
        adapters: name → folder of the adapters that have names there.
    """

    card: ModelCard
    context: int | None
    adapters: dict[str, Path]


async def meet(client: VllmClient, base: Base | RemoteBase, known: ModelCard | None = None) -> Met:
    """Ask a server what it serves, and compare that with a base.

    A fingerprint in the served name (as `plures serve start` gives it) settles it. Otherwise the server's folder is
    compared where this machine has it, and else the tokenizer alone: then two bases with one tokenizer look alike. A
    base that only the server has is known by its name.

    Args:
        client: of the server.
        base: that it should serve.
        known: the card that was compared last time; the same again is believed, for a folder takes long to compare.

    Raises:
        ServerError: another base is served there, or no model at all.
        UnansweredError: nobody answers.
    """
    url = client.endpoint.url
    try:
        cards = await client.models()
    except RejectedError as error:
        raise ServerError(
            f"{url}: no vLLM server, for it has no list of models ({error}); check the url"
        ) from error
    bases = [card for card in cards if card.parent is None]
    if len(bases) != 1:
        raise ServerError(f"{url}: serves {len(bases)} models; expected one base and its adapters")
    (card,) = bases
    if card != known and not await _is_served(client, card, base):
        raise ServerError(
            f"{url}: serves {card.id} (from {card.root}), which is not base {base.name!r} "
            f"({base.fingerprint[:FINGERPRINT_DIGITS]}). Start one for {base.name}, or name the server's base."
        )
    adapters = {c.id: Path(c.root) for c in cards if c.parent is not None and c.root is not None}
    return Met(card, card.max_model_len, adapters)


async def _is_served(client: VllmClient, card: ModelCard, base: Base | RemoteBase) -> bool:
    if isinstance(base, RemoteBase):
        return card.id == base.name
    if found := _FINGERPRINT.search(card.id):
        return base.fingerprint.startswith(found[1])
    folder = None if card.root is None else Path(card.root)
    if folder is not None and folder.is_absolute() and folder.is_dir():
        from adapters.bases.loader import fingerprint

        return folder.samefile(base.path) or fingerprint(folder) == base.fingerprint
    ends = base.tokenizer.decode(list(base.encoder.end_ids), skip_special_tokens=False)
    sample = _SAMPLE + ends
    here = base.tokenizer.encode(sample, add_special_tokens=False)
    return await client.tokenize(card.id, sample) == tuple(here)
