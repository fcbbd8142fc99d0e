"""The folders that the dashboard was given, and the guard around them: nothing outside is ever read or written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

from sim.errors import RunDirError
from sim.run_dir import RunDir
from sim.views.folders import find_runs, find_stores
from sim.views.opening import open_to_look

VARIABLE = "PLURES_FOLDERS"
"""Environment variable with the folders, a JSON list: `plures dashboard` sets it for the process of the app."""


class Folders:
    """Roots with one label each; everything below has a name `LABEL/path/below`, used in addresses.

    A comma parts names in a list of them, so a comma in a name is written `%2C`, and a per cent sign `%25`.

    Args:
        roots: existing folders; a label is the folder's own name, with a number where that is taken.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots: dict[str, Path] = {}
        for root in dict.fromkeys(Path(root).resolve() for root in roots):
            label, again = root.name or "root", 1
            while label in self.roots:
                again += 1
                label = f"{root.name}-{again}"
            self.roots[label] = root

    def guard(self, path: Path) -> Path:
        """The path with every link followed, when it lies below a root.

        Raises:
            RunDirError: when it leads outside.
        """
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in self.roots.values()):
            raise RunDirError(
                f"{path}: outside of the folders that this dashboard was given ({self.shown}). "
                "Start it with that folder, too: plures dashboard DIR DIR"
            )
        return real

    def path(self, name: str) -> Path:
        """The path that a name stands for, existing or not.

        Raises:
            RunDirError: for a name that starts at no root, or that leads outside.
        """
        label, _, below = name.partition("/")
        root = self.roots.get(unquote(label))
        if root is None:
            raise RunDirError(f"{name}: starts at none of the dashboard's folders ({', '.join(self.roots)}).")
        parts = [unquote(part) for part in below.split("/") if part]
        if any(part == ".." or "/" in part or "\0" in part for part in parts):
            raise RunDirError(f"{name}: a name stays below its folder, so it has no `..` in it.")
        return self.guard(root.joinpath(*parts))

    def name(self, path: Path) -> str:
        """The name of a path below a root."""
        real = self.guard(path)
        label, root = next((label, r) for label, r in self.roots.items() if real.is_relative_to(r))
        return _joined(label, real.relative_to(root))

    def run(self, name: str) -> RunDir:
        """Open a run by name.

        Raises:
            RunDirError: when there is none, none below the roots, a damaged one, or one with a link that leads outside.
        """
        return open_to_look(self.path(name), self.guard)

    def run_names(self) -> list[str]:
        """Names of all run directories below the roots, damaged ones included, in order."""
        names: dict[Path, str] = {}  # a root within another: a run has one name
        for label, root in self.roots.items():
            for path in find_runs(root):
                names.setdefault(path, _joined(label, path.relative_to(root)))
        return sorted(names.values())

    def latest_run(self, names: Sequence[str]) -> str:
        """The run to show where none was chosen: of those named, what finished last, else what began last.

        Args:
            names: of `run_names`, at least one.
        """
        return max(names, key=lambda name: _lateness(self.path(name)))

    def stores(self) -> list[Path]:
        """All adapter stores below the roots, in order."""
        return sorted({path.resolve() for root in self.roots.values() for path in find_stores(root)})

    @property
    def shown(self) -> str:
        """The roots as a person writes them."""
        return ", ".join(map(str, self.roots.values()))


def folders() -> Folders:
    """The folders that this dashboard was started with."""
    given: Sequence[str] = json.loads(os.environ.get(VARIABLE, "[]"))
    return Folders(Path(folder) for folder in given)


def _lateness(run: Path) -> tuple[bool, float]:
    """Greater for a finished run, whose report is written last of all, then for the later one."""
    report, manifest = run / "report.html", run / "manifest.json"
    return report.exists(), (report if report.exists() else manifest).stat().st_mtime


def _joined(label: str, below: Path) -> str:
    return "/".join(_quoted(part) for part in (label, *below.parts))


def _quoted(part: str) -> str:
    return part.replace("%", "%25").replace(",", "%2C")
