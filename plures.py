"""The public API for notebooks; every name is imported only when it is first used.

>>> from plures import Scenario
>>> Scenario(name="mine").population.size
(64,)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapters.bases.loader import load_base as load_base
    from adapters.engines.local import LocalEngine as LocalEngine
    from adapters.store import AdapterStore as AdapterStore
    from agents.loading import load_corpus as load_corpus
    from agents.synthetic.community import make_community as make_community
    from sim.experiment import run_experiment
    from sim.interview import Interview as Interview
    from sim.interview import Studio as Studio
    from sim.run_dir import RunDir as RunDir
    from sim.run_dir import open_run as open_run
    from sim.scenario import Scenario as Scenario
    from sim.scenario_file import load_scenario as load_scenario

    run = run_experiment

_HOME = {
    "AdapterStore": ("adapters.store", "AdapterStore"),
    "Interview": ("sim.interview", "Interview"),
    "LocalEngine": ("adapters.engines.local", "LocalEngine"),
    "RunDir": ("sim.run_dir", "RunDir"),
    "Scenario": ("sim.scenario", "Scenario"),
    "Studio": ("sim.interview", "Studio"),
    "load_base": ("adapters.bases.loader", "load_base"),
    "load_corpus": ("agents.loading", "load_corpus"),
    "load_scenario": ("sim.scenario_file", "load_scenario"),
    "make_community": ("agents.synthetic.community", "make_community"),
    "open_run": ("sim.run_dir", "open_run"),
    "run": ("sim.experiment", "run_experiment"),
}
__all__ = sorted(_HOME)  # noqa: PLE0605 - a list of names, kept in one place


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"plures has no {name!r}; it offers {', '.join(_HOME)}")
    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(_HOME)
