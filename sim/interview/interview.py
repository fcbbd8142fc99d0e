"""An interview: one question at a time, put to every voice under one seed, written down as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from adapters.engines.protocol import Engine, GenerateRequest, Prompt, Sampling
from adapters.engines.recorded import prompt_sha256
from agents.interview import Form, Turn, answer_grammar, answer_words, interview_prompt
from agents.text import clean_text
from sim.errors import InterviewError
from sim.interview.exchange import Answer, Exchange, Voice
from sim.interview.scene import Scene
from sim.interview.transcript import Transcript
from sim.rng import generator

LONGEST_QUESTION = 2_000
"""In characters."""


@dataclass(frozen=True, slots=True)
class Style:
    """How every answer of an interview is drawn.

    Args:
        form: free, or as the words of a post.
        max_new_tokens: longest answer, in tokens.
        temperature: 0 is greedy.
        top_p: nucleus mass.
        max_chars: longest answer in the form of a post, in characters.
    """

    form: Form
    max_new_tokens: int
    temperature: float
    top_p: float
    max_chars: int


class Interview:
    """One agent's interview; equal seeds, questions and machines give equal answers.

    Each voice remembers its own answers. Where the transcript holds exchanges already, it goes on after them.

    Args:
        scene: whom, when, and in which voices.
        engine: serves the adapters of the voices; not closed here.
        style: how answers are drawn.
        seed: of the interview; each turn has a stream of its own.
        transcript: where exchanges are kept.
        provenance: what answers them, for the transcript: base and engine.

    Raises:
        InterviewError: when the transcript is of another agent, moment, base, seed or voices.
    """

    def __init__(
        self,
        scene: Scene,
        engine: Engine,
        style: Style,
        seed: int,
        transcript: Transcript,
        provenance: Mapping[str, Any],
    ) -> None:
        self.scene = scene
        self.transcript = transcript
        self._engine, self._style, self._seed = engine, style, seed
        self._circumstances = {
            **scene.as_plain(),
            "interview_seed": seed,
            "style": asdict(style),
            **provenance,
        }
        self.exchanges = self._earlier()

    def ask(self, question: str) -> Exchange:
        """Put a question to every voice.

        Returns:
            The answers; one that failed carries its error, and the others stand.

        Raises:
            InterviewError: for a question without words, or a very long one.
        """
        asked = clean_text(question)
        if not asked or len(asked) > LONGEST_QUESTION:
            raise InterviewError(f"question: got {len(asked)} characters; expected 1 to {LONGEST_QUESTION:,}")
        turn = len(self.exchanges) + 1
        agent = self.scene.agent
        seed = int(generator(self._seed, "interview", agent.agent_id, turn).integers(2**31))
        prompts = [self._prompt(voice, asked) for voice in self.scene.voices]
        results = self._engine.generate(
            [
                self._request(turn, voice, prompt, seed)
                for voice, prompt in zip(self.scene.voices, prompts, strict=True)
            ]
        )
        answers = tuple(
            Answer.of(voice, prompt_sha256(prompt), answer_words(self._style.form, result.text), result)
            for voice, prompt, result in zip(self.scene.voices, prompts, results, strict=True)
        )
        exchange = Exchange(turn, asked, seed, answers)
        self.transcript.append(self._circumstances, exchange)
        self.exchanges.append(exchange)
        return exchange

    def _prompt(self, voice: Voice, question: str) -> Prompt:
        agent = self.scene.agent
        earlier = [Turn(exchange.question, exchange[voice.name].text) for exchange in self.exchanges]
        return interview_prompt(agent.handle, agent.persona, self.scene.feed, question, earlier)

    def _request(self, turn: int, voice: Voice, prompt: Prompt, seed: int) -> GenerateRequest:
        style = self._style
        return GenerateRequest(
            request_id=f"{turn}/{voice.name}",
            prompt=prompt,
            adapter=voice.adapter,
            sampling=Sampling(style.max_new_tokens, style.temperature, style.top_p, seed),
            grammar=answer_grammar(style.form, style.max_chars),
        )

    def _earlier(self) -> list[Exchange]:
        records = self.transcript.read()
        for record in records:
            changed = [key for key, value in self._circumstances.items() if record.get(key) != value]
            voices = [(answer["voice"], answer["adapter"]) for answer in record["answers"]]
            if voices != [tuple(voice) for voice in self.scene.voices]:
                changed.append("voices")
            if changed:
                raise InterviewError(
                    f"{self.transcript.path}: session {self.transcript.session} is an interview with other "
                    f"{', '.join(changed)}. Name another session."
                )
        return [Exchange.from_plain(record) for record in records]
