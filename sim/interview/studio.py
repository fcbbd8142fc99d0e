"""The studio: one engine for all interviews of a run, opened as the run's own scenario says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from adapters.engines.protocol import Engine
from adapters.store import AdapterStore
from agents.interview import Form
from sim.engines import open_engine
from sim.errors import InterviewError
from sim.interview.interview import Interview, Style
from sim.interview.scene import find_scene
from sim.interview.transcript import Transcript, new_session
from sim.run_dir import RunDir
from sim.scenario import Scenario
from sim.scenario_base import open_scenario_base

ANSWER_TOKENS = 160
"""Longest answer unless asked otherwise, in tokens."""


class Studio:
    """Holds interviews on one run; close it, or use it in a `with` statement.

    Args:
        run: the run.
        engine: serves the run's base and the adapters of its store; closed with the studio.
        base: what the engine runs: name, fingerprint, toy.
    """

    def __init__(self, run: RunDir, engine: Engine, base: Mapping[str, Any]) -> None:
        self.run = run
        self.base = dict(base)
        self._engine = engine

    @classmethod
    def open(cls, run: RunDir | Path | str, store: Path | str = "runs/store") -> Self:
        """Open the run's engine.

        Args:
            run: finished or not.
            store: the adapter store that the run was made with.

        Raises:
            InterviewError: when the base is no longer the run's, or the store lacks the run's adapters.
            PluresErrors of the other rooms: see `sim.errors.USER_ERRORS`.
        """
        found = run if isinstance(run, RunDir) else RunDir.open(run)
        adapters = AdapterStore(Path(store))
        _check_store(found, adapters)
        base = open_scenario_base(found.scenario)
        if base.fingerprint != found.manifest["base"]["fingerprint"]:
            raise InterviewError(
                f"{found.path}: was made with the base {found.manifest['base']['name']} "
                f"({found.manifest['base']['fingerprint'][:12]}), but {found.scenario.base} is now "
                f"{base.fingerprint[:12]}: its adapters do not fit. Put the former base back."
            )
        engine = open_engine(found.scenario, base, adapters)
        return cls(found, engine, {"name": base.name, "fingerprint": base.fingerprint, "toy": base.is_toy})

    def interview(
        self,
        who: str | int,
        *,
        cell: str | None = None,
        step: int | None = None,
        also: Sequence[str] = (),
        session: str | None = None,
        seed: int = 0,
        form: Form = "free",
        max_new_tokens: int = ANSWER_TOKENS,
    ) -> Interview:
        """Sit down with one agent.

        Args:
            who: handle, agent id or user id.
            cell: such as `lora-n64-s0`; None takes the first that has begun.
            step: the moment, after that step; None takes the last.
            also: further conditions whose voice is to answer.
            session: goes on with the interview of that name, or begins it; None begins a new one.
            seed: of the answers.
            form: `free`, or `post`: in the words of a post, as agents write them.
            max_new_tokens: longest answer, in tokens.

        Raises:
            InterviewError, RunAgentError: for what the run does not have, or a transcript that cannot be kept.
        """
        scene = find_scene(self.run, who, cell=cell, step=step, also=also)
        transcript = Transcript(self.run.path, session or new_session())
        transcript.make_room()
        drawn = self.run.scenario.simulation.sampling
        style = Style(form, max_new_tokens, drawn.temperature, drawn.top_p, drawn.max_chars)
        return Interview(scene, self._engine, style, seed, transcript, self._provenance())

    def close(self) -> None:
        """Free the engine; a second call does nothing."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _provenance(self) -> dict[str, Any]:
        return {"base": self.base, "engine": _settings(self.run.scenario)}


def _settings(scenario: Scenario) -> dict[str, Any]:
    """What answers can depend on; where a server stands and how much memory it has is not among it."""
    plain = scenario.engine.model_dump(mode="json")
    return {key: plain[key] for key in ("kind", "device", "dtype") if key in plain}


def _check_store(run: RunDir, store: AdapterStore) -> None:
    adapters = run.manifest.get("adapters", {"own": {}, "pooled": None, "zero": None})
    wanted = {*adapters["own"].values(), adapters["pooled"], adapters["zero"]} - {None}
    if not wanted:
        return
    known = set(store.revisions()) if store.catalog.exists() else set()
    if missing := wanted - known:
        raise InterviewError(
            f"{store.root}: lacks {len(missing)} of the run's {len(wanted)} adapters. Name the store that the run "
            "was made with: --store FOLDER (or PLURES_STORE)"
        )
