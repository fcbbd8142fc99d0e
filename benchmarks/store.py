"""The store of adapters: packed files, a catalog of a million, and what a burst of new revisions costs.

python -m benchmarks.store [--quick] [--json]
"""

from __future__ import annotations

from benchmarks import store_catalogue, store_gates, store_packed
from benchmarks.harness import Results, main

PARTS = (store_packed.measure, store_catalogue.measure, store_gates.measure)


def measure(quick: bool) -> Results:
    """Run the cases of every part."""
    results = Results()
    for part in PARTS:
        found = part(quick)
        results.cases += found.cases
        results.goals += found.goals
    return results


if __name__ == "__main__":
    raise SystemExit(main("The store of adapters", measure))
