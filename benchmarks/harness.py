"""What every benchmark shares: repeats taking turns, medians with spread, goals, one form of output."""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.provenance import hardware, versions

REPEATS = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of repeated measurements, with the lowest and the highest."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Summarise at least one measurement."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"median": self.median, "low": self.low, "high": self.high, "repeats": self.repeats}

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.low:.4g} to {self.high:.4g}, {self.repeats} repeats)"


@dataclass(frozen=True, slots=True)
class Sampled:
    """An estimate from a sample of people, with its 95% interval; ends are NaN where it cannot be given."""

    value: float
    low: float
    high: float
    people: int

    def as_dict(self) -> dict[str, float | None]:
        """For JSON; null where there is no value."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {**{k: v if math.isfinite(v) else None for k, v in ends.items()}, "people": self.people}

    def __str__(self) -> str:
        return f"{self.value:.4g} (95% {self.low:.4g} to {self.high:.4g}, {self.people} people)"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that is promised: `value` must be at least `goal`, or at most for `at_least=False`."""

    name: str
    value: float
    goal: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether the promise holds in this run."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal


@dataclass(frozen=True, slots=True)
class Case:
    """One measured case: what was done, and its figures by name (the unit is part of the name)."""

    name: str
    setting: Mapping[str, Any]
    figures: Mapping[str, Figure | Sampled]


@dataclass(slots=True)
class Results:
    """What a benchmark hands back."""

    cases: list[Case] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)


def take_turns(
    contestants: Mapping[str, Callable[[], float]], repeats: int = REPEATS
) -> dict[str, list[float]]:
    """Run the contestants one after another, `repeats` rounds long, so that a slow moment hits them all.

    Args:
        contestants: name → function that does the work and returns the measurement.
        repeats: rounds, at least 1; the published figures need at least 3.

    Returns:
        The measurements of every contestant, in the order of the rounds.
    """
    measured: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, work in contestants.items():
            gc.collect()
            measured[name].append(work())
    return measured


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Figure:
    """The ratio of two contestants round by round, so that both halves saw the same machine."""
    return Figure.of([a / b for a, b in zip(numerators, denominators, strict=True)])


def main(
    title: str,
    measure: Callable[[bool], Results],
    arguments: Sequence[str] | None = None,
    *,
    own: argparse.ArgumentParser | None = None,
) -> int:
    """Parse `--quick` and `--json`, measure, print.

    Args:
        title: one line about what is measured.
        measure: takes `quick` (True: smallest sizes, for a sanity check) and does the work.
        arguments: in place of the command line's.
        own: options of this benchmark alone, for the help; whoever has some parses them.

    Returns:
        0; a missed goal is printed as missed, and is no failure of the program.
    """
    parser = argparse.ArgumentParser(description=title, parents=[own] if own else [])
    parser.add_argument("--quick", action="store_true", help="small sizes: a sanity check, not a result")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args(arguments)
    results = measure(options.quick)
    sys.stdout.write(_as_json(results) if options.json else _as_text(title, results, options.quick))
    return 0


def _as_json(results: Results) -> str:
    report = {
        "machine": hardware(),
        "versions": versions(),
        "cases": [
            {
                "name": case.name,
                "setting": dict(case.setting),
                "figures": {name: figure.as_dict() for name, figure in case.figures.items()},
            }
            for case in results.cases
        ],
        "goals": [{"name": g.name, "value": g.value, "goal": g.goal, "met": g.met} for g in results.goals],
    }
    return json.dumps(report, indent=2) + "\n"


def _as_text(title: str, results: Results, quick: bool) -> str:
    machine = hardware()
    lines = [title + (" (quick: a sanity check, not a result)" if quick else "")]
    lines.append(", ".join(f"{key} {value}" for key, value in machine.items() if value is not None))
    for case in results.cases:
        setting = ", ".join(f"{key} {value}" for key, value in case.setting.items())
        lines += ["", f"{case.name}: {setting}"]
        width = max(map(len, case.figures), default=0)
        lines += [f"  {name:<{width}}  {figure}" for name, figure in case.figures.items()]
    lines.append("")
    for goal in results.goals:
        sign, verdict = ("≥" if goal.at_least else "≤"), ("met" if goal.met else "MISSED")
        lines.append(f"goal {goal.name}: {goal.value:.4g} {sign} {goal.goal:.4g}: {verdict}")
    return "\n".join(lines) + "\n"
