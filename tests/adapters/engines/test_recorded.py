"""Every request leaves one record, in order, with the hash of its prompt."""

from __future__ import annotations

import hashlib

import pytest

from adapters.engines.protocol import GenerateRequest, Message, Sampling, ScoreRequest
from adapters.engines.recorded import RecordedEngine, RequestRecord, prompt_sha256
from adapters.engines.scripted import TOKEN_LOGPROB, ScriptedEngine


@pytest.fixture
def records() -> list[RequestRecord]:
    return []


@pytest.fixture
def engine(records: list[RequestRecord]) -> RecordedEngine:
    return RecordedEngine(ScriptedEngine(lambda r: r.request_id * 2, adapters=["x"]), records.append)


def test_replies_and_failures_are_recorded_in_order(
    engine: RecordedEngine, records: list[RequestRecord]
) -> None:
    prompt = (1, 2, 3)
    engine.generate(
        [
            GenerateRequest("ab", prompt, "x"),
            GenerateRequest("c", prompt, "unknown"),
            GenerateRequest("d", prompt, None, Sampling(1)),
        ]
    )
    sha = prompt_sha256(prompt)
    assert records == [
        RequestRecord("generate", "ab", sha, "x", 3, 5, "stop", None, TOKEN_LOGPROB),
        RequestRecord("generate", "c", sha, "unknown", 3, 0, "error", "unknown_adapter", None),
        RequestRecord("generate", "d", sha, None, 3, 1, "length", None, TOKEN_LOGPROB),
    ]


def test_scores_are_recorded(engine: RecordedEngine, records: list[RequestRecord]) -> None:
    engine.score([ScoreRequest("a", (1, 2), (3, 4, 5), "x")])
    assert records == [
        RequestRecord("score", "a", prompt_sha256((1, 2)), "x", 2, 3, None, None, TOKEN_LOGPROB)
    ]


def test_a_batch_that_raises_leaves_no_record(records: list[RequestRecord]) -> None:
    def reply(_: GenerateRequest) -> str:
        raise RuntimeError("broken script")

    engine = RecordedEngine(ScriptedEngine(reply), records.append)
    with pytest.raises(RuntimeError, match="broken script"):
        engine.generate([GenerateRequest("a", (1,))])
    assert records == []


def test_the_hash_is_that_of_compact_json() -> None:
    # sha256('[1,2]') and sha256('[["user","hé"]]'), computed independently with hashlib
    assert prompt_sha256((1, 2)) == hashlib.sha256(b"[1,2]").hexdigest()
    assert prompt_sha256((Message("user", "hé"),)) == hashlib.sha256('[["user","hé"]]'.encode()).hexdigest()


def test_prompts_that_differ_only_in_their_cut_have_different_hashes() -> None:
    one = (Message("user", 'a"],["user","b'),)
    two = (Message("user", "a"), Message("user", "b"))
    assert prompt_sha256(one) != prompt_sha256(two)
