"""How a person's post becomes training text: an explicit, recorded choice, since it moves the action prior.

| rendering | the adapter sees | the loss covers | effect on the action prior |
| --- | --- | --- | --- |
| `raw` | the bare post | the post | none directly; style must transfer from outside the decision prompt |
| `turn` | the decision prompt, then the post as a `create_post` reply | the reply | towards `create_post` |
| `words` (default) | the same as `turn` | the reply's words and its end | through shared weights only |

`words` is the default: the text is learned where it will be spoken, and no example says that posting is
the thing to do. Definition: ours.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from adapters.engines.protocol import TextEncoder
from agents.decision import ALL_ACTIONS, Action, Decision, FeedEntry, affordances
from agents.prompts import decision_prompt
from agents.reply import reply_parts
from agents.text import clean_text

Rendering = Literal["raw", "turn", "words"]
RENDERINGS: tuple[Rendering, ...] = get_args(Rendering)
DEFAULT_RENDERING: Rendering = "words"


class RenderedPost(NamedTuple):
    """`tokens[learn_from:]` carry the loss; everything before is context."""

    tokens: tuple[int, ...]
    learn_from: int


def render_post(
    text: str, *, handle: str, persona: str, rendering: Rendering, encoder: TextEncoder
) -> RenderedPost:
    """Turn one post into a training row under `rendering`.

    The prompt of `turn` and `words` shows an empty feed: what the person really saw is not known.

    Raises:
        ValueError: for an unknown rendering or a text that is empty once cleaned.
    """
    if rendering not in RENDERINGS:
        raise ValueError(f"rendering: got {rendering!r}; expected one of {', '.join(RENDERINGS)}")
    cleaned = clean_text(text)
    if not cleaned:
        raise ValueError("a post without any visible text cannot be rendered")
    if rendering == "raw":
        begin = encoder.begin_ids
        return RenderedPost((*begin, *encoder.text_ids(cleaned), *encoder.end_ids), len(begin))
    prompt = encoder.prompt_ids(decision_prompt(handle, persona, (), affordances((), ALL_ACTIONS)))
    return render_reply(prompt, Decision(Action.CREATE_POST, content=cleaned), encoder, rendering)


def render_reply(
    prompt: tuple[int, ...],
    decision: Decision,
    encoder: TextEncoder,
    rendering: Rendering,
    feed: tuple[FeedEntry, ...] = (),
) -> RenderedPost:
    """Append a decision, as the reply of an agent that read `feed`, to an encoded prompt.

    Raises:
        ValueError: when the decision's target is not in the feed, or its content is empty once cleaned.
    """
    parts = reply_parts(decision, feed)
    head, tail = encoder.text_ids(parts.head), encoder.text_ids(parts.tail)
    tokens = (*prompt, *head, *encoder.text_ids(parts.content), *tail, *encoder.end_ids)
    return RenderedPost(tokens, len(prompt) + (len(head) if rendering == "words" else 0))
