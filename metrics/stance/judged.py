"""Stance by a judge that learns nothing: whatever gives texts margins as it is, such as a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from metrics.stance.learner import Margins, Rows, Task

Judge = Callable[[Sequence[str]], Margins]
"""Texts to margins."""


class JudgedModel:
    """The judge's own margins."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def margins(self, texts: Sequence[str]) -> Margins:
        """Margins of each text."""
        return self._judge(texts)


class JudgedLearner:
    """A judge among the learners: labelled texts serve only to calibrate it and to take its record.

    Args:
        judge: gives margins, over the classes in the order of the task.
        name: for tables, such as `language_model`.
    """

    def __init__(self, judge: Judge, name: str) -> None:
        self._judge, self._name = judge, name

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    def lesson(self, texts: Sequence[str]) -> _Lesson:
        """Have every different text judged once."""
        different = list(dict.fromkeys(texts))
        place = {text: i for i, text in enumerate(different)}
        return _Lesson(self._judge, self._judge(different)[np.array([place[text] for text in texts])])


class _Lesson:
    def __init__(self, judge: Judge, margins: Margins) -> None:
        self._judge, self._margins = judge, margins

    def held_out(self, task: Task, train: Rows, test: Rows) -> Margins:  # noqa: ARG002  # nothing is learnt
        return self._margins[test]

    def model(self, task: Task) -> JudgedModel:  # noqa: ARG002
        return JudgedModel(self._judge)
