"""What a person says: clauses composed from frames with slots, in small talk or on the contested plan."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from agents.synthetic import plan, town
from agents.synthetic.dressing import dress
from agents.synthetic.habits import pick
from agents.synthetic.people import Person
from agents.synthetic.phrases import AGREE, CHAT, DISAGREE, FRAMES, PLAN_FRAMES
from agents.synthetic.topics import TOPICS

MIN_CHARS = 20
MAX_CHARS = 140

_SLOT = re.compile(r"\{(place|when|who|tram|things|doing|future|good|bad|very|news|claim|verdict|thing)\}")


class Utterance(NamedTuple):
    """A text with what it is about; `stance` ∈ [−1, 1] is what its wording expresses, None for small talk."""

    text: str
    topic: str
    stance: float | None


def write_post(rng: np.random.Generator, person: Person, stance: float | None = None) -> Utterance:
    """One post: on the plan with the person's `plan_share`, else on one of the person's topics.

    Args:
        rng: source of chance.
        person: who writes.
        stance: expressed instead of the person's own (with noise) when the post is on the plan.
    """
    if rng.random() < person.plan_share:
        shown = voiced_stance(rng, person) if stance is None else stance
        return _fitting(rng, person, plan.PLAN_TOPIC, shown)
    topic = person.topics[int(rng.choice(len(person.topics), p=person.topic_weights))]
    return _fitting(rng, person, topic, None)


def write_answer(rng: np.random.Generator, person: Person, target: Utterance) -> Utterance:
    """A comment or quote: agrees or disagrees with a post on the plan, chats about any other."""
    if target.stance is None:
        clauses = [_fill(rng, person, pick(rng, CHAT), target.topic, None)]
        if rng.random() < person.habits.second_clause_share / 2:
            clauses += _small_talk(rng, person, target.topic)[0]
        return _finish(rng, person, clauses, target.topic, None, question=False)
    own = voiced_stance(rng, person)
    clauses = [pick(rng, AGREE if own * target.stance > 0 else DISAGREE)]
    clauses.append(_plan_clause(rng, person, "claim" if rng.random() < 0.7 else "verdict", own))
    return _finish(rng, person, clauses, plan.PLAN_TOPIC, own, question=False)


def voiced_stance(rng: np.random.Generator, person: Person) -> float:
    """The person's stance as one text expresses it: noisy, never exactly 0."""
    value = float(np.clip(rng.normal(person.stance, 0.22), -1, 1))
    return value if abs(value) > 0.02 else 0.02 * (1 if person.stance > 0 else -1)


def _fitting(rng: np.random.Generator, person: Person, topic: str, stance: float | None) -> Utterance:
    clauses, question = (
        _small_talk(rng, person, topic) if stance is None else (_plan_talk(rng, person, stance), False)
    )
    return _finish(rng, person, clauses, topic, stance, question=question)


def _finish(
    rng: np.random.Generator,
    person: Person,
    clauses: list[str],
    topic: str,
    stance: float | None,
    *,
    question: bool,
) -> Utterance:
    text = dress(rng, clauses, person.habits, question=question, limit=MAX_CHARS)
    while len(text) < MIN_CHARS:
        more = _fill(
            rng, person, pick(rng, FRAMES["doing"]), topic if stance is None else person.topics[0], None
        )
        clauses, question = [*clauses, more], False
        text = dress(rng, clauses, person.habits, question=question, limit=MAX_CHARS)
    return Utterance(text, topic, stance)


def _small_talk(rng: np.random.Generator, person: Person, topic: str) -> tuple[list[str], bool]:
    purpose = person.purposes[int(rng.choice(len(person.purposes), p=person.purpose_weights))]
    if purpose == "question":
        return [pick(rng, TOPICS[topic].questions)], True
    clauses = [_fill(rng, person, _favourite(rng, person, purpose, FRAMES[purpose]), topic, None)]
    if rng.random() < person.habits.second_clause_share:
        other = pick(rng, ("news", "praise", "moan", "intent", "question"))
        if other == "question":
            return [*clauses, pick(rng, TOPICS[topic].questions)], True
        clauses.append(_fill(rng, person, _favourite(rng, person, other, FRAMES[other]), topic, None))
    return clauses, False


def _plan_talk(rng: np.random.Generator, person: Person, stance: float) -> list[str]:
    clauses = [_plan_clause(rng, person, "verdict" if rng.random() < 0.6 else "claim", stance)]
    if abs(stance) < 0.35 and rng.random() < 0.6:  # the mild ones concede a point
        concession = _plan_clause(rng, person, "claim", -stance)
        return [f"{concession} but {clauses[0]}"]
    if rng.random() < person.habits.second_clause_share:
        kind = "call" if abs(stance) > 0.6 and rng.random() < 0.5 else "claim"
        clauses.append(_plan_clause(rng, person, kind, stance))
    return clauses


def _plan_clause(rng: np.random.Generator, person: Person, kind: str, stance: float) -> str:
    if kind == "call":
        return _fill(
            rng, person, pick(rng, plan.CALLS_FOR if stance > 0 else plan.CALLS_AGAINST), None, stance
        )
    frame = _favourite(rng, person, kind, PLAN_FRAMES[kind])
    return _fill(rng, person, frame, None, stance)


def _favourite(rng: np.random.Generator, person: Person, purpose: str, frames: tuple[str, ...]) -> str:
    """Mostly one of the person's own frames for this purpose, sometimes any."""
    return pick(rng, person.frames[purpose] if rng.random() < 0.8 else frames)


def _fill(
    rng: np.random.Generator, person: Person, frame: str, topic: str | None, stance: float | None
) -> str:
    """Replace slots until none is left; a slot that brings new slots is filled in turn."""
    while _SLOT.search(frame):
        frame = _SLOT.sub(lambda m: _slot(rng, person, m.group(1), topic, stance), frame)
    return frame


def _slot(
    rng: np.random.Generator, person: Person, name: str, topic: str | None, stance: float | None
) -> str:
    habits = person.habits
    match name:
        case "place":
            return pick(rng, person.places) if rng.random() < 0.6 else pick(rng, town.PLACES)
        case "when":
            return pick(rng, town.TIMES)
        case "future":
            return pick(rng, town.FUTURE_TIMES)
        case "who":
            return pick(rng, person.circle) if rng.random() < 0.7 else pick(rng, town.PEOPLE)
        case "tram":
            return pick(rng, person.plan_names)
        case "good":
            return pick(rng, habits.good)
        case "bad":
            return pick(rng, habits.bad)
        case "very":
            return pick(rng, habits.intensifiers)
        case "claim":
            assert stance is not None
            return pick(rng, person.claims_for if stance > 0 else person.claims_against)
        case "verdict":
            assert stance is not None
            grade = 1 + int(abs(stance) > 0.35) + int(abs(stance) > 0.7)
            return pick(rng, (plan.VERDICTS_FOR if stance > 0 else plan.VERDICTS_AGAINST)[grade])
        case _:
            assert topic is not None
            fragments = TOPICS[topic]
            return pick(
                rng, {"thing": fragments.things, "doing": fragments.doings, "news": fragments.news}[name]
            )
