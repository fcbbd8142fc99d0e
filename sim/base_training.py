"""Training the tiny base on the synthetic community: joins `agents.synthetic` to `adapters.bases`."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from adapters.bases.chat import ChatEncoder
from adapters.bases.pretraining.rows import Row, Span
from adapters.bases.pretraining.run import CHECKPOINT
from adapters.bases.pretraining.training import MoeProgress, MoeTraining, train_moe
from adapters.bases.tiny_export import export_tiny_base
from adapters.bases.tiny_model import TinyShape, new_model
from adapters.bases.tiny_tokenizer import train_tokenizer
from agents.synthetic.community import make_community
from agents.synthetic.curriculum import LearnedRow, held_out_rows, tokenizer_texts, training_rows
from sim.progress import Silent, Watcher

TINY_TOKENS = 13_000_000
"""Training tokens of the shipped base: about one pass over its community."""

_TASK = "tiny-moe tokens"


@dataclass(frozen=True, slots=True)
class CommunityPlan:
    """How many people the base reads, and how many others it is measured on."""

    users: int = 1500
    posts_per_user: int = 80
    interactions_per_user: int = 40
    held_out_users: int = 48


def train_tiny_base(
    out: Path,
    *,
    seed: int = 7,
    tokens: int = TINY_TOKENS,
    plan: CommunityPlan = CommunityPlan(),
    watcher: Watcher | None = None,
) -> Path:
    """Draw a community, train tokenizer and model on it, write a base folder.

    An interrupted call with the same arguments goes on where it stopped: its checkpoint lies in `out`.

    Args:
        out: folder to write; created when missing.
        seed: of community, first weights and order; the held-out people are drawn apart from it.
        tokens: training tokens in total.
        plan: sizes of the communities.
        watcher: told of the tokens seen and the losses.

    Returns:
        `out`, which `load_base` reads.
    """
    watcher = watcher or Silent()
    watcher.say("Drawing the community and tokenising it; about two minutes.")
    out.mkdir(parents=True, exist_ok=True)
    root = np.random.SeedSequence([seed, 0x71B45E])
    people, strangers, order = (np.random.default_rng(s) for s in root.spawn(3))
    community = make_community(people, plan.users, plan.posts_per_user, plan.interactions_per_user)
    unseen = make_community(strangers, plan.held_out_users, 12, 24)
    tokenizer = train_tokenizer(tokenizer_texts(order, community))
    encoder = ChatEncoder(tokenizer)
    rows = [_row(r) for r in training_rows(order, community, encoder)]
    held_out = {name: [_row(r) for r in rs] for name, rs in held_out_rows(unseen, encoder).items()}
    recipe, shape = MoeTraining(tokens=tokens, seed=seed), TinyShape()
    watcher.begin(_TASK, tokens)
    model = train_moe(
        new_model(shape, tokenizer, seed),
        rows,
        held_out,
        recipe,
        work_dir=out,
        facts=asdict(shape),
        on_progress=_telling(watcher),
    )
    export_tiny_base(out, model, tokenizer, recipe, held_out, facts=asdict(plan))
    (out / CHECKPOINT).unlink()
    return out


def _telling(watcher: Watcher) -> Callable[[MoeProgress], None]:
    def tell(progress: MoeProgress) -> None:
        held_out = ", ".join(f"{name} {loss:.2f}" for name, loss in progress.held_out.items())
        done = min(progress.tokens, progress.total_tokens)
        watcher.advance(_TASK, done, f"loss {progress.train_loss:.2f}; held out: {held_out or 'not yet'}")

    return tell


def _row(row: LearnedRow) -> Row:
    """The same row in the words of `adapters`, its ids packed into two bytes each."""
    return Row(array("H", row.tokens), tuple(Span(*s) for s in row.spans))
