"""Making a mixture-of-experts base of a dense one, and letting its experts part on a corpus."""

from __future__ import annotations

import csv
import json
import shutil
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from adapters.bases.fetching.fetch import arriving
from adapters.bases.home import SOURCE_FILE
from adapters.bases.loader import Base, load_base
from adapters.bases.pretraining.rows import Row, Span
from adapters.bases.pretraining.run import LOG
from adapters.bases.pretraining.training import MoeProgress, MoeTraining, train_moe
from adapters.bases.upcycling import train_experts_only, upcycle
from adapters.engines.protocol import TextEncoder
from adapters.errors import BaseModelError, TrainingError
from agents.corpus import Corpus
from agents.near_duplicates import copies
from sim.people import gather
from sim.preparation import everyone
from sim.progress import Silent, Watcher
from sim.rng import generator
from sim.scenario_file import load_scenario

HELD_OUT_SHARE = 0.1
"""Of the corpus's people: their posts are not trained on, and tell what training did."""

EVALUATIONS = 2
"""While and after training; the first comes before it."""

_TASK = "upcycling tokens"


@dataclass(frozen=True, slots=True)
class UpcyclingPlan:
    """What to make.

    Args:
        experts: E, at least 2.
        top_k: experts of each token.
        tokens: training tokens; 0 leaves the copies as they are.
        learning_rate: AdamW's peak.
        batch_tokens: tokens per optimizer step.
        pass_tokens: tokens that run at once; on SmolLM2 each takes 2.2 MB of memory.
        max_tokens: longer posts are cut there.
        held_out_posts: most posts of unseen people that are scored before, while and after.
        seed: of routers, people held out and the order of posts.
        apart: user ids whose posts are not read, since a study of them is to follow.
    """

    experts: int = 4
    top_k: int = 2
    tokens: int = 0
    learning_rate: float = 2e-4
    batch_tokens: int = 1024
    pass_tokens: int = 512
    max_tokens: int = 96
    held_out_posts: int = 200
    seed: int = 0
    apart: tuple[str, ...] = ()


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
        dense: a Llama base in float32; its weights are let go once they are copied.
        out: must not exist; its training lies beside it, in `OUT.training`, until it is done.
        plan: sizes and recipe.
        corpus: whose posts the experts learn; needed where `plan.tokens` > 0.
        watcher: told of tokens and losses.

    Raises:
        BaseModelError: a base that cannot be upcycled, or an `out` that exists.
        TrainingError: no corpus to train on, too small a one, or one without tokens to train; a learning rate that
            cannot be; an interrupted training under other settings.
    """
    if out.exists():
        raise BaseModelError(f"{out}: exists; name a new folder with --out, or delete it")
    if plan.tokens and corpus is None:
        raise TrainingError("upcycling with training tokens needs a corpus; name one with --corpus")
    if corpus is not None and not plan.tokens:
        raise TrainingError(
            "upcycling reads a corpus only to train on it; say how much with --tokens, or drop --corpus"
        )
    recipe = MoeTraining(
        tokens=plan.tokens,
        batch_tokens=plan.batch_tokens,
        pass_tokens=plan.pass_tokens,
        learning_rate=plan.learning_rate,
        eval_tokens=max(1, plan.tokens // EVALUATIONS),
        seed=plan.seed,
    )
    posts = None if corpus is None else _split(corpus, dense.encoder, plan)
    model = upcycle(dense.model, plan.experts, plan.top_k, generator(plan.seed, "routers"))
    dense.weights.release()
    work_dir = out.with_name(f"{out.name}.training")
    with arriving(out) as (_, staged):
        if corpus is not None and posts is not None:
            train_experts_only(model)
            work_dir.mkdir(exist_ok=True)
            model = train_moe(
                model,
                posts.learned,
                {"posts": posts.held_out},
                recipe,
                work_dir=work_dir,
                facts={"dense": dense.fingerprint, "corpus": corpus.digest, **asdict(plan)},
                on_progress=_telling(watcher or Silent(), plan.tokens),
            )
            shutil.copy(work_dir / LOG, staged)
        dense.tokenizer.save_pretrained(staged)
        model.save_pretrained(staged, safe_serialization=True)
        record = {"upcycled_from": {"name": dense.name, "fingerprint": dense.fingerprint}, **asdict(plan)}
        if corpus is not None:
            record["corpus"] = {"name": corpus.name, "sha256": corpus.digest}
        (staged / SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        load_base(staged)
    shutil.rmtree(work_dir, ignore_errors=True)
    return _told(out) if plan.tokens else Upcycled(out)


def studied(scenarios: Sequence[Path], corpus: Path | None) -> tuple[str, ...]:
    """User ids of everybody whom the scenarios draw from a corpus file.

    Raises:
        TrainingError: scenarios without a corpus file to draw from.
        ScenarioError, AgentsError: as for a run of the scenario.
    """
    if scenarios and corpus is None:
        raise TrainingError(
            "--apart-from: there is nobody to leave out without --corpus; name a corpus, or drop it"
        )
    files = [load_scenario(scenario, [f"corpus.path={corpus}"]) for scenario in scenarios]
    return tuple(sorted({user for scenario in files for user in everyone(gather(scenario))}))


class _Posts(NamedTuple):
    """Rows to learn, and rows of people who are held out."""

    learned: list[Row]
    held_out: list[Row]


def _split(corpus: Corpus, encoder: TextEncoder, plan: UpcyclingPlan) -> _Posts:
    """Hold out some people; no post to learn copies one of theirs, or one of somebody left out."""
    if strangers := set(plan.apart) - {user.user_id for user in corpus}:
        raise TrainingError(
            f"{corpus.name}: nobody called {sorted(strangers)[0]!r} to leave out; name the corpus that the study uses"
        )
    rng = generator(plan.seed, "held-out people")
    order = [corpus.users[int(i)] for i in rng.permutation(len(corpus.users))]
    apart = [user for user in order if user.user_id in plan.apart]
    order = [user for user in order if user.user_id not in plan.apart]
    count = max(1, round(HELD_OUT_SHARE * len(order)))
    unread = [post.text for user in (*apart, *order[:count]) for post in user.posts]
    learned = [post.text for user in order[count:] for post in user.posts]
    copied = copies(learned, unread)
    held_out = _encoded([p.text for u in order[:count] for p in u.posts], encoder, plan.max_tokens)
    rows = _encoded(
        [text for text, copy in zip(learned, copied, strict=True) if not copy], encoder, plan.max_tokens
    )
    if not rows or not held_out:
        raise TrainingError(
            f"{corpus.name}: {len(order)} people are too few to train on some and hold out others"
        )
    chosen = rng.permutation(len(held_out))[: plan.held_out_posts]
    return _Posts(rows, [held_out[int(i)] for i in chosen])


def _encoded(texts: Sequence[str], encoder: TextEncoder, max_tokens: int) -> list[Row]:
    rows = []
    for text in texts:
        ids = (*encoder.begin_ids, *encoder.text_ids(text), *encoder.end_ids)[:max_tokens]
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
