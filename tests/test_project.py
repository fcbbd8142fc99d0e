"""The project as a whole: what it installs, what importing it costs, and the rules that every module keeps."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOMS = ("adapters", "agents", "dashboards", "metrics", "sim")
MODULES = sorted(
    [
        REPOSITORY / "plures.py",
        REPOSITORY / "docs" / "generate.py",
        *(file for room in (*ROOMS, "benchmarks") for file in (REPOSITORY / room).rglob("*.py")),
    ]
)
MOST_LINES = 350
LIGHT = {
    "typer",
    "click",
    "rich",
    "shellingham",
    "annotated_doc",
    "typing_extensions",
    "pygments",
    "markdown_it",
    "mdurl",
}
"""What the command line itself may load before a command is chosen."""


def _python(code: str, folder: Path) -> str:
    """Run code in a new interpreter in `folder`; warnings are errors only in this process."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _relative(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    """`plures --help` answers at once because it imports typer, the standard library and little of ours."""
    code = """
import contextlib, io, json, sys
before = set(sys.modules)
sys.argv = ["plures", "--help"]
from sim.cli.app import main
with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
    main()
assert "Usage: plures" in shown.getvalue()
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""
    loaded = set(json.loads(_python(code, tmp_path)))
    assert loaded - set(sys.stdlib_module_names) - set(ROOMS) <= LIGHT


def test_top_level_packages_are_ours(tmp_path: Path) -> None:
    """Names such as `agents` are generic: another distribution could have brought them."""
    names = (*ROOMS, "plures")
    code = f"import {', '.join(names)}, json; print(json.dumps([m.__file__ for m in ({', '.join(names)})]))"
    for file in json.loads(_python(code, tmp_path)):
        assert Path(file).resolve().is_relative_to(REPOSITORY)
    assert {owner for name in names for owner in packages_distributions()[name]} == {"plures"}


def test_importing_does_no_work(tmp_path: Path) -> None:
    """No module makes a file, sets up logging or pulls in OASIS when it is imported."""
    code = f"""
import importlib, logging, pkgutil, sys
names = ["plures"]
for room in {ROOMS!r}:
    package = importlib.import_module(room)
    names += [found.name for found in pkgutil.walk_packages(package.__path__, room + ".")]
for name in names:
    importlib.import_module(name)
assert logging.root.handlers == [], "logging was set up"
assert "oasis" not in sys.modules, "OASIS was imported"
print(len(names))
"""
    assert int(_python(code, tmp_path)) > 50
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", MODULES, ids=_relative)
def test_module_is_short_and_says_what_it_is(file: Path) -> None:
    source = file.read_text("utf-8")
    assert len(source.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(source)), "no module docstring"


def test_version_is_the_same_everywhere() -> None:
    stated = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    cited = re.search(r"^Plures (\S+),", (REPOSITORY / "README.md").read_text("utf-8"), re.MULTILINE)
    assert newest
    assert cited
    assert {stated, version("plures"), newest[1], cited[1]} == {stated}


def test_every_dependency_is_pinned() -> None:
    """The open ranges of pyproject.toml and the exact pins of constraints.txt name the same packages."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()  # which may name one another: plures[embeddings]
    wanted = [*project["dependencies"], *(name for extra in extras for name in extra)]
    pins = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {_normal(re.split("==", pin)[0]) for pin in pins if "==" in pin}
    assert not {_name(name) for name in wanted} - {project["name"]} - pinned


def _name(requirement: str) -> str:
    return _normal(re.split(r"[<>=!~\[; ]", requirement)[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
