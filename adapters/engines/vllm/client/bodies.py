"""Requests in the words of vLLM's HTTP interface (0.27), with nothing left to the server's defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.engines.protocol import Message, Sampling

_SEEDS = 1 << 63
"""A server takes seeds below it; larger ones are folded."""

_PLAIN: Mapping[str, Any] = {
    "n": 1,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,
    "skip_special_tokens": True,
    "spaces_between_special_tokens": False,
    "return_token_ids": True,
}
"""A base's `generation_config.json` may set any of these, and a server takes that for what was meant."""


def generation(
    model: str, prompt: Sequence[int], sampling: Sampling, stops: frozenset[int], grammar: str | None
) -> dict[str, Any]:
    """Ask for one reply to token ids.

    Args:
        model: served name of the adapter.
        prompt: token ids.
        sampling: drawing rules.
        stops: ids that end the reply, and nothing else does.
        grammar: in the dialect of Lark, as `lark_grammar` writes it.
    """
    return {
        "model": model,
        "prompt": list(prompt),
        "logprobs": 0,
        "ignore_eos": True,  # only `stop_token_ids` count, as in the local engine
        "stop_token_ids": sorted(stops),
        **_drawn(sampling),
        **_constrained(grammar),
    }


def chat(model: str, messages: Sequence[Message], sampling: Sampling, grammar: str | None) -> dict[str, Any]:
    """Ask for one reply to messages, which the server encodes and ends by its own lights."""
    return {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "logprobs": True,
        "top_logprobs": 0,
        "chat_template_kwargs": {"enable_thinking": False},
        **_drawn(sampling),
        **_constrained(grammar),
    }


def scoring(model: str, ids: Sequence[int], start: int) -> dict[str, Any]:
    """Ask for log p of the tokens from `start` on.

    The last token is not sent but drawn, from itself alone: the log-probability of a drawn token is taken before
    that restriction, and a text as long as the base's context still fits.

    Args:
        model: served name of the adapter.
        ids: prompt and completion.
        start: place of the first token to score, from 1 to len(ids) − 1.
    """
    body = {
        "model": model,
        "prompt": list(ids[:-1]),
        "logprobs": 0,
        "ignore_eos": True,
        "allowed_token_ids": [ids[-1]],
        **_drawn(Sampling(max_new_tokens=1, temperature=0)),
    }
    return body if start == len(ids) - 1 else body | {"prompt_logprobs": 0}


def _drawn(sampling: Sampling) -> dict[str, Any]:
    """Drawing rules, such that every request of ours has its own generator on the server.

    On a CPU, vLLM (0.27.1) draws a whole batch without seeds as soon as one row of it has none, and a row at
    temperature 0 has none. Greedy requests are therefore drawn, too: from their most likely token alone.
    """
    greedy = sampling.temperature == 0
    return {
        **_PLAIN,
        "max_tokens": sampling.max_new_tokens,
        "temperature": 1.0 if greedy else sampling.temperature,
        "top_p": 1.0 if greedy else sampling.top_p,
        "top_k": 1 if greedy else 0,
        "seed": sampling.seed % _SEEDS,
    }


def _constrained(grammar: str | None) -> dict[str, Any]:
    return {} if grammar is None else {"structured_outputs": {"grammar": grammar}}
