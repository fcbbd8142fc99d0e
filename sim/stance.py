"""Fitting the scorer that a scenario asks for on its people, with people held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from adapters.engines.protocol import GenerateRequest, GenerateResult, ScoreRequest, ScoreResult
from metrics.stance import StanceScorer, fit_stance_scorer, learner
from metrics.stance.learner import Learner
from sim.people import People
from sim.rng import generator
from sim.scenario import Scenario
from sim.stance_block import LanguageModelStanceBlock

if TYPE_CHECKING:
    from adapters.bases.loader import Base
    from adapters.engines.local import LocalEngine
    from adapters.lora.adapter import Adapter
    from agents.stance import StanceQuestion


def fit_scorer(scenario: Scenario, people: People, base: Callable[[], Base]) -> StanceScorer:
    """Fit on the training posts of everybody on the two sides, drawn or not.

    Args:
        scenario: says which kind.
        people: of that scenario.
        base: asked for only where the base itself is the judge.

    Raises:
        StanceError: for sides that cannot be learnt.
        EmbeddingError: when the embedding's package is not installed.
        JudgementError: for answers that the base cannot be asked for.
    """
    block = scenario.stance
    most = block.language_model.posts_per_user if block.kind == "language_model" else None
    texts: list[str] = []
    sides: list[str] = []
    users: list[str] = []
    for user_id, split in people.splits.items():
        own: Sequence[str] = [post.text for post in split.train[:most]]
        texts += own
        sides += [str(split.user.side)] * len(own)
        users += [user_id] * len(own)
    chosen = (
        base_as_judge(base(), _question(block.language_model, people.sides), scenario.engine.token_budget)
        if block.kind == "language_model"
        else learner(block.kind)
    )
    return fit_stance_scorer(
        texts,
        sides,
        users,
        rng=generator(scenario.population.seed, "stance scorer"),
        positive_side=people.sides[0],
        learner=chosen,
    )


def base_as_judge(
    base: Base,
    question: StanceQuestion,
    token_budget: int = 32_768,
    on_progress: Callable[[int, int], None] | None = None,
) -> Learner:
    """The base without any adapter as a scorer.

    Args:
        base: who answers.
        question: with its answers in the order of the classes.
        token_budget: tokens in memory at once.
        on_progress: told of texts judged and texts in all.
    """
    from agents.stance import LanguageModelJudge

    judge = LanguageModelJudge(BareBase(base, token_budget), base.encoder, question, on_progress=on_progress)
    return judge.learner


def _question(block: LanguageModelStanceBlock, sides: tuple[str, str]) -> StanceQuestion:
    from agents.stance import StanceQuestion

    positive, negative = block.answers or sides
    return StanceQuestion(block.question, {sides[1]: negative, sides[0]: positive})


class BareBase:
    """An engine for the base without adapters that holds the base's weights during its calls only.

    A scorer lives as long as its run, through training and beside other engines; the weights need not.

    Args:
        base: who answers; its weights are read when they are not in memory.
        token_budget: tokens in memory at once.
    """

    def __init__(self, base: Base, token_budget: int) -> None:
        self._base, self._token_budget = base, token_budget

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given."""
        with closing(self._engine()) as engine:
            return engine.generate(requests)

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given."""
        with closing(self._engine()) as engine:
            return engine.score(requests)

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _engine(self) -> LocalEngine:
        from adapters.engines.local import LocalEngine

        return LocalEngine(self._base, NoAdapters(), token_budget=self._token_budget)


class NoAdapters:
    """A reader for engines that serve the bare base alone."""

    def open(self, revision: str) -> Adapter:
        """Refuse.

        Raises:
            UnknownAdapterError: always.
        """
        from adapters.errors import UnknownAdapterError

        raise UnknownAdapterError(f"{revision}: this engine serves the base without adapters")
