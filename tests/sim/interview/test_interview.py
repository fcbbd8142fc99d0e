from __future__ import annotations

import json

import pytest

from adapters.engines.protocol import GenerateRequest, Message, RequestError
from adapters.engines.recorded import prompt_sha256
from sim.errors import InterviewError, RunAgentError
from sim.run_dir import RunDir
from tests.sim.interview.conftest import OpenStudio, echo


def test_the_adapter_and_the_base_answer_the_same_prompt_under_the_same_seed(
    studio: OpenStudio, own_run: RunDir
) -> None:
    held = studio(echo).interview(3)
    exchange = held.ask("Who  are\nyou?")
    own, base = exchange.answers
    assert exchange.question == "Who are you?"
    assert (own.voice, base.voice) == ("lora", "shared_base")
    assert own.adapter == own_run.cells()[0].read_bindings()[3]
    assert base.adapter is None
    assert own.prompt_sha256 == base.prompt_sha256
    assert own.text.split()[1:] == base.text.split()[1:] == [str(exchange.seed), "2"]
    assert exchange["shared_base"] is base


def test_equal_interviews_draw_equal_seeds_and_turns_draw_different_ones(studio: OpenStudio) -> None:
    def seeds(**more: int) -> list[int]:
        held = studio(echo).interview(3, **more)  # type: ignore[arg-type]
        return [held.ask(question).seed for question in ("A?", "B?")]

    assert seeds() == seeds()
    assert len(set(seeds()) | set(seeds(seed=1))) == 4


def test_each_voice_remembers_its_own_answers(studio: OpenStudio) -> None:
    seen: list[GenerateRequest] = []

    def reply(request: GenerateRequest) -> str:
        seen.append(request)
        return f"I am {request.adapter or 'the base'}"

    held = studio(reply).interview(3)
    held.ask("Who?")
    held.ask("Sure?")
    for request in seen[2:]:
        assert [m.content for m in request.prompt if isinstance(m, Message)][2:] == [
            f"I am {request.adapter or 'the base'}",
            "Question: Sure?",
        ]


def test_a_conversation_goes_on_after_its_transcript(studio: OpenStudio) -> None:
    first = studio(echo).interview("3", session="talk")
    first.ask("A?")
    whole = studio(echo).interview("3", session="other")
    whole.ask("A?")
    again = studio(echo).interview("3", session="talk")
    assert len(again.exchanges) == 1
    assert again.ask("B?") == whole.ask("B?")


def test_a_transcript_of_other_circumstances_is_refused(studio: OpenStudio) -> None:
    studio(echo).interview(3, session="talk").ask("A?")
    with pytest.raises(
        InterviewError, match=r"an interview with other agent_id, handle.* Name another session"
    ):
        studio(echo).interview(4, session="talk")
    with pytest.raises(InterviewError, match="other also, voices"):
        studio(echo).interview(3, session="talk", also=["permuted"])


def test_a_voice_that_fails_leaves_the_others_standing(studio: OpenStudio) -> None:
    def reply(request: GenerateRequest) -> str | RequestError:
        return RequestError("not_ready", "behind a gate") if request.adapter else "Yes."

    exchange = studio(reply).interview(3).ask("Well?")
    assert exchange["lora"].error == "not_ready: behind a gate"
    assert exchange["lora"].finish_reason == "error"
    assert exchange["shared_base"].text == "Yes."


def test_further_conditions_answer_where_they_are_asked_for(studio: OpenStudio, own_run: RunDir) -> None:
    exchange = studio(echo).interview(3, also=["permuted", "lora", "zero"]).ask("A?")
    assert [a.voice for a in exchange.answers] == ["lora", "shared_base", "permuted", "zero"]
    permuted = next(cell for cell in own_run.cells() if cell.key.id == "permuted-n8-s0")
    assert exchange["permuted"].adapter == permuted.read_bindings()[3]
    with pytest.raises(
        InterviewError, match="condition 'lorenz': not in this run at N = 8 and seed 0; it has lora"
    ):
        studio(echo).interview(3, also=["lorenz"])


def test_in_a_cell_of_the_base_the_agents_own_adapter_answers_too(
    studio: OpenStudio, own_run: RunDir
) -> None:
    held = studio(echo).interview(3, cell="shared_base-n8-s1")
    assert [tuple(voice) for voice in held.scene.voices] == [
        ("shared_base", None),
        ("lora", own_run.cells()[0].read_bindings()[3]),
    ]


def test_the_agent_has_before_it_what_it_saw_last(studio: OpenStudio, own_run: RunDir) -> None:
    """The feed lines are letter by letter those of the prompt under which it acted."""
    held = studio(echo).interview(3, step=2)
    ledger = own_run.cells()[0].ledger.read(["step", "agent_id", "prompt"])
    last = ledger[ledger["agent_id"] == 3].iloc[-1]
    assert held.scene.seen_at == last["step"]
    seen: list[GenerateRequest] = []
    held._engine = studio(lambda request: seen.append(request) or "ok")._engine  # type: ignore[func-returns-value]
    held.ask("Well?")
    feed = [line for line in last["prompt"].splitlines() if line.startswith("[")]
    user = seen[0].prompt[1]
    assert isinstance(user, Message)
    assert [line for line in user.content.splitlines() if line.startswith("[")] == feed
    assert studio(echo).interview(3, step=0).scene.feed == ()


def test_a_post_is_asked_for_by_grammar_and_its_words_are_the_answer(studio: OpenStudio) -> None:
    reply = '{"action":"create_post","content":"Bread is up."}'
    exchange = studio(lambda _: reply).interview(3, form="post").ask("Well?")
    assert exchange["lora"].text == "Bread is up."
    assert exchange["lora"].tokens == len(reply) + 1
    refused = studio(echo).interview(3, form="post").ask("Well?")["lora"]
    assert refused.error is not None
    assert refused.error.startswith("bad_grammar")


@pytest.mark.parametrize("question", ["", "  \n", "x" * 2_001])
def test_a_question_has_words_and_an_end(studio: OpenStudio, question: str) -> None:
    with pytest.raises(InterviewError, match="expected 1 to 2,000"):
        studio(echo).interview(3).ask(question)


def test_what_the_run_does_not_have_is_refused(studio: OpenStudio) -> None:
    with pytest.raises(RunAgentError, match="no agent 'nobody'"):
        studio(echo).interview("nobody")
    with pytest.raises(RunAgentError, match="no cell 'lora'"):
        studio(echo).interview(3, cell="lora")
    with pytest.raises(InterviewError, match="step: got 3; lora-n8-s0 has steps 0 to 2"):
        studio(echo).interview(3, step=3)


def test_every_line_of_a_transcript_carries_what_its_answer_rests_on(
    studio: OpenStudio, own_run: RunDir
) -> None:
    seen: list[GenerateRequest] = []

    def reply(request: GenerateRequest) -> str:
        seen.append(request)
        return "Si\u2028\u0085no 🌊"

    held = studio(reply).interview(3, session="talk")
    held.ask("A?")
    held.ask("B?")
    path = own_run.path / "interviews" / "talk.jsonl"
    first, second = (json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1])
    assert first["answers"][0]["prompt_sha256"] == prompt_sha256(seen[0].prompt)
    assert first["answers"][0]["text"] == "Si\u2028\u0085no 🌊"
    assert [first["turn"], second["turn"]] == [1, 2]
    assert first["base"] == {"name": "tiny-moe", "fingerprint": "f" * 64, "toy": True}
    assert first["engine"]["kind"] == "local"
    assert first["style"]["temperature"] == own_run.scenario.simulation.sampling.temperature
    assert {"cell", "agent_id", "step", "seen_at", "feed", "seed", "interview_seed", "at"} <= set(first)


def test_nothing_of_the_run_itself_changes(studio: OpenStudio, own_run: RunDir) -> None:
    def files() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in own_run.path.rglob("*")
            if path.is_file() and "interviews" not in path.parts
        }

    before = files()
    studio(echo).interview(3).ask("A?")
    assert files() == before
