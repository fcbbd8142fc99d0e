"""Making a mixture-of-experts base of a dense one, and letting its experts part on a corpus."""

from __future__ import annotations

import csv
import json
import shutil
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters.bases.fetching.fetch import SOURCE_FILE, arriving
from adapters.bases.loader import Base, load_base
from adapters.bases.pretraining.rows import Row, Span
from adapters.bases.pretraining.run import LOG
from adapters.bases.pretraining.training import MoeProgress, MoeTraining, train_moe
from adapters.bases.upcycling import train_experts_only, upcycle
from adapters.engines.protocol import TextEncoder
from adapters.errors import BaseModelError, TrainingError
from agents.corpus import Corpus, User
from sim.progress import Silent, Watcher
from sim.rng import generator

HELD_OUT_SHARE = 0.1
"""Of the corpus's people: their posts are not trained on, and tell what training did."""

_TASK = "upcycling tokens"


@dataclass(frozen=True, slots=True)
class UpcyclingPlan:
    """What to make.

    Args:
        experts: E, at least 2.
        top_k: experts of each token.
        tokens: training tokens; 0 leaves the copies as they are.
        learning_rate: AdamW's peak.
        batch_tokens: positions per optimizer step.
        max_tokens: longer posts are cut there.
        held_out_posts: most posts of unseen people that are scored before, while and after.
        seed: of routers, people held out and the order of posts.
    """

    experts: int = 4
    top_k: int = 2
    tokens: int = 0
    learning_rate: float = 1e-4
    batch_tokens: int = 1024
    max_tokens: int = 96
    held_out_posts: int = 200
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Upcycled:
    """What came of it.

    Args:
        folder: a base.
        before: mean held-out loss before training, nats per token; None without training.
        after: the same afterwards.
        load: per layer, the share of assignments of each expert on held-out posts afterwards.
    """

    folder: Path
    before: float | None = None
    after: float | None = None
    load: tuple[tuple[float, ...], ...] = ()


def upcycle_base(
    dense: Base,
    out: Path,
    plan: UpcyclingPlan,
    *,
    corpus: Corpus | None = None,
    watcher: Watcher | None = None,
) -> Upcycled:
    """Write a mixture of `dense` into the new folder `out`; interrupted training goes on where it stopped.

    Args:
        dense: a Llama base in float32.
        out: must not exist; its training lies beside it, in `OUT.training`, until it is done.
        plan: sizes and recipe.
        corpus: whose posts the experts learn; needed where `plan.tokens` > 0.
        watcher: told of tokens and losses.

    Raises:
        BaseModelError: a base that cannot be upcycled, or an `out` that exists.
        TrainingError: no corpus, or too small a one.
    """
    if out.exists():
        raise BaseModelError(f"{out}: exists; name a new folder with --out, or delete it")
    if plan.tokens and corpus is None:
        raise TrainingError("upcycling with training tokens needs a corpus; name one with --corpus")
    model = upcycle(dense.model, plan.experts, plan.top_k, generator(plan.seed, "routers"))
    work_dir = out.with_name(f"{out.name}.training")
    with arriving(out) as (_, staged):
        if plan.tokens and corpus is not None:
            train_experts_only(model)
            if model.config.pad_token_id is None:
                model.config.pad_token_id = dense.encoder.end_ids[0]
            rows, held_out = _rows(corpus, dense.encoder, plan)
            work_dir.mkdir(exist_ok=True)
            recipe = MoeTraining(
                tokens=plan.tokens,
                batch_tokens=plan.batch_tokens,
                learning_rate=plan.learning_rate,
                eval_tokens=max(1, plan.tokens // 4),
                seed=plan.seed,
            )
            model = train_moe(
                model,
                rows,
                {"posts": held_out},
                recipe,
                work_dir=work_dir,
                facts={"dense": dense.fingerprint, "corpus": corpus.digest, **asdict(plan)},
                on_progress=_telling(watcher or Silent(), plan.tokens),
            )
            shutil.copy(work_dir / LOG, staged)
        dense.tokenizer.save_pretrained(staged)
        model.save_pretrained(staged, safe_serialization=True)
        record = {"upcycled_from": {"name": dense.name, "fingerprint": dense.fingerprint}, **asdict(plan)}
        (staged / SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        load_base(staged)
    shutil.rmtree(work_dir, ignore_errors=True)
    return _told(out) if plan.tokens else Upcycled(out)


def _rows(corpus: Corpus, encoder: TextEncoder, plan: UpcyclingPlan) -> tuple[list[Row], list[Row]]:
    """Posts to learn, and posts of people who are held out."""
    rng = generator(plan.seed, "held-out people")
    order = [corpus.users[int(i)] for i in rng.permutation(len(corpus.users))]
    count = max(1, round(HELD_OUT_SHARE * len(order)))
    held_out = _posts(order[:count], encoder, plan.max_tokens)
    rows = _posts(order[count:], encoder, plan.max_tokens)
    if not rows or not held_out:
        raise TrainingError(
            f"{corpus.name}: {len(order)} people are too few to train on some and hold out others"
        )
    chosen = rng.permutation(len(held_out))[: plan.held_out_posts]
    return rows, [held_out[int(i)] for i in chosen]


def _posts(users: Sequence[User], encoder: TextEncoder, max_tokens: int) -> list[Row]:
    rows = []
    for user in users:
        for post in user.posts:
            ids = (*encoder.begin_ids, *encoder.text_ids(post.text), *encoder.end_ids)[:max_tokens]
            if len(ids) > 1:
                rows.append(Row(array("l", ids), (Span(1, len(ids)),)))
    return rows


def _telling(watcher: Watcher, tokens: int) -> Callable[[MoeProgress], None]:
    watcher.begin(_TASK, tokens)

    def tell(progress: MoeProgress) -> None:
        held_out = progress.held_out.get("posts", float("nan"))
        note = f"loss {progress.train_loss:.2f}; held out {held_out:.3f}"
        watcher.advance(_TASK, min(progress.tokens, progress.total_tokens), note)

    return tell


def _told(folder: Path) -> Upcycled:
    """Read the log of the training."""
    with (folder / LOG).open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    last = lines[-1]
    layers: dict[int, list[float]] = {}
    for key, value in last.items():
        if key.startswith("load_layer"):
            layers.setdefault(int(key.removeprefix("load_layer").split("_")[0]), []).append(float(value))
    return Upcycled(
        folder,
        before=float(lines[0]["held_out_posts"]),
        after=float(last["held_out_posts"]),
        load=tuple(tuple(layers[layer]) for layer in sorted(layers)),
    )
