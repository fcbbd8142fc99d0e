"""What must be said beside any result of a run: that its base is a toy, that it has not come to its end."""

from __future__ import annotations

from sim.numbers import counted
from sim.run_dir import RunDir


def remarks(run: RunDir) -> list[str]:
    """Sentences to put above a run's results; none for a finished run of a real base."""
    said = []
    base = run.manifest["base"]
    if base["toy"]:
        said.append(
            f"Toy base. {base['name']} is a tiny model that shows that the machinery works. Its numbers say nothing "
            "about people."
        )
    cells = run.cells()
    done = sum(cell.done for cell in cells)
    if done < len(cells):
        unpaired = " A seed counts in a difference once both of its cells are finished." if done else ""
        said.append(
            f"{done} of {counted(len(cells), 'cell')} are finished (the run is {run.state}). What follows covers "
            f"those.{unpaired}"
        )
    return said
