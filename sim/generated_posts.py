"""What everybody's adapter writes of its own accord, and what the base writes under the same prompts and seeds.

The prompt is one for all, as in `sim.individuality`: only weights can tell writers apart. Under the rendering `raw`
it is the beginning of a text; under the others the decision prompt with an empty feed, of whose replies the grammar
leaves only posts. Definition: ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from adapters.engines.protocol import Engine, GenerateRequest, GenerateResult, Prompt, Sampling
from agents.decision import ALL_ACTIONS, Action, affordances
from agents.errors import DecisionError
from agents.policy import checked
from agents.prompts import decision_prompt
from agents.rendering import Rendering
from agents.reply import parse_reply, reply_grammar
from agents.text import clean_text
from metrics.text.imitation import ADAPTER, BASE
from sim.errors import SimError
from sim.individuality import NEUTRAL_HANDLE
from sim.progress import Watcher
from sim.rng import request_seed

if TYPE_CHECKING:
    from adapters.bases.loader import Base
    from sim.scenario import SamplingBlock

COLUMNS = ("person", "writer", "number", "text", "failure")
_SEED = 0
_POST_ONLY = affordances((), (Action.CREATE_POST,))


class WritingTask(NamedTuple):
    """The prompt, and the grammar of what may follow or None."""

    prompt: Prompt
    grammar: str | None


class _Asked(NamedTuple):
    person: str
    writer: str
    number: int
    request: GenerateRequest


def write_posts(
    engine: Engine,
    base: Base,
    revisions: Mapping[str, str],
    *,
    posts: int,
    rendering: Rendering,
    sampling: SamplingBlock,
    watcher: Watcher,
) -> pd.DataFrame:
    """Let every adapter write posts, and the base as many, each with the seed of the adapter's post beside it.

    Args:
        engine: generates.
        base: of the engine.
        revisions: user id → adapter revision.
        posts: of each person, at least 1.
        rendering: as in training; decides the prompt.
        sampling: how texts are drawn, and how long they may be.
        watcher: told after each post of everybody.

    Returns:
        A row for each text. `person`; `writer` (`adapter` or `base`); `number` of the text, from 0; `text`, empty
        where there is none; `failure`: why there is none, or empty. A `raw` text that reaches `max_new_tokens` is
        taken as far as it goes.

    Raises:
        As `writing_task`.
    """
    prompt, grammar = writing_task(base, rendering, sampling.max_chars)
    watcher.begin(_TASK, posts)
    rows = []
    for number in range(posts):
        asked = [
            _Asked(
                person,
                writer,
                number,
                GenerateRequest(
                    request_id=f"{writer}/{number}/{person}",
                    prompt=prompt,
                    adapter=revision if writer == ADAPTER else None,
                    sampling=Sampling(
                        sampling.max_new_tokens,
                        sampling.temperature,
                        sampling.top_p,
                        request_seed(_SEED, number, place),
                    ),
                    grammar=grammar,
                ),
            )
            for place, (person, revision) in enumerate(revisions.items())
            for writer in (ADAPTER, BASE)
        ]
        results = engine.generate([one.request for one in asked])
        rows += [(*one[:3], *_read(r, rendering)) for one, r in zip(asked, results, strict=True)]
        watcher.advance(_TASK, number + 1)
    return pd.DataFrame(rows, columns=list(COLUMNS))


_TASK = "writing posts under every adapter"


def writing_task(base: Base, rendering: Rendering, max_chars: int) -> WritingTask:
    """What every writer is given.

    Args:
        base: encodes.
        rendering: as in training.
        max_chars: longest post, in characters, where a grammar can say so.

    Raises:
        SimError: under `raw`, a base without a token that begins texts.
    """
    if rendering != "raw":
        prompt = decision_prompt(NEUTRAL_HANDLE, "", (), affordances((), ALL_ACTIONS))
        return WritingTask(prompt, reply_grammar(_POST_ONLY, max_chars))
    if not base.encoder.begin_ids:
        raise SimError(
            f"base {base.name}: has no token that begins a text, so under the rendering raw nothing can be written; "
            "choose another with --set adapters.rendering=words"
        )
    return WritingTask(base.encoder.begin_ids, None)


def _read(result: GenerateResult, rendering: Rendering) -> tuple[str, str]:
    """The text and why there is none."""
    try:
        if rendering == "raw" and result.finish_reason == "length":
            text = clean_text(result.text)
        elif rendering == "raw":
            text = clean_text(checked(result))
        else:
            text = parse_reply(checked(result), (), _POST_ONLY).content or ""
    except DecisionError as error:
        return "", error.kind
    return text, "" if text else "empty_content"
