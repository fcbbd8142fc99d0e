"""Documentation cannot drift: pages are generated from the code, run, or looked up in it."""

from __future__ import annotations

import doctest
import gzip
import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

import plures
from adapters.engines.protocol import ErrorKind
from adapters.lora.spec import LoraSpec
from adapters.store.catalog.states import LEGAL, STATES
from agents.bindings import CONDITIONS
from agents.rendering import RENDERINGS
from metrics.catalogue import CATALOGUE
from metrics.replication import READINGS
from sim.cli.app import app
from sim.ledger import LEDGER_SCHEMA
from sim.outcome import OutcomeKind
from sim.run_dir import State
from sim.scenario import Scenario
from tests.documents import REPOSITORY, Session, anchors, blocks, commands, links, missing_lines, run_command

DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *REPOSITORY.glob("*.md"), *(REPOSITORY / "scenarios").glob("*.md")])
FOLDERS = ("adapters", "agents", "benchmarks", "docs", "metrics", "scenarios", "sim", "tests")
BROUGHT = {"scenarios/timelines.jsonl.gz"}
"""Files that the reader brings."""
GENERATED = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]
TUTORIALS = [
    page
    for page in sorted(DOCS.glob("*.md"))
    if page.name not in GENERATED and sum(1 for _ in blocks(page)) > 2
]
"""The pages of `docs/` that show how something is done; the others say what is."""
SMALL = (
    "--set population.size=4 --set population.train_posts=10 --set adapters.epochs=1 --set simulation.steps=1"
)


def _commands(group: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def _keys(annotation: Any) -> Iterator[str]:
    """Every key of the scenario, nested blocks included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield name
            yield from _keys(field.annotation)
    else:
        for part in get_args(annotation):
            yield from _keys(part)


COMMANDS = dict(_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...]) -> None:
    help_text = " ".join((COMMANDS[words].help or "").split())
    assert f"Example: plures {' '.join(words)}" in help_text
    assert all(p.help for p in COMMANDS[words].params if p.name != "help")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_on_the_command_line_page(words: tuple[str, ...]) -> None:
    assert f"## plures {' '.join(words)}\n" in (DOCS / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("name", GENERATED)
def test_generated_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == GENERATED[name](), "run: python docs/generate.py"


def test_every_metric_is_defined_on_the_measures_page() -> None:
    page = (DOCS / "measures.md").read_text("utf-8")
    assert not [m for m in CATALOGUE.values() if f"`{m.id}`" not in page or m.definition not in page]


def test_every_scenario_key_is_on_the_scenario_page() -> None:
    first_cells = re.findall(r"^\| `([^`]+)`", (DOCS / "scenario.md").read_text("utf-8"), re.MULTILINE)
    documented = {key.split(".")[-1] for key in first_cells}
    assert set(_keys(Scenario)) - {"kind"} == documented - {"kind"}


def test_every_condition_is_in_the_glossary() -> None:
    page = (REPOSITORY / "GLOSSARY.md").read_text("utf-8")
    assert not [condition for condition in CONDITIONS if f"`{condition}`" not in page]


def _first_cells(page: Path, heading: str) -> list[str]:
    """The code in the first cells of the table under a heading."""
    section = re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"{heading}\n")]
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


def test_run_directory_page_lists_the_columns_of_the_ledger() -> None:
    assert _first_cells(DOCS / "run-directory.md", "ledger.parquet") == LEDGER_SCHEMA.names


def test_run_directory_page_lists_every_failure_kind() -> None:
    """Kinds of the platform and the engine are closed sets; those of replies stand in the sources as literals."""
    readers = ("reply.py", "policy.py", "tool_calls.py")
    sources = "".join((REPOSITORY / "agents" / name).read_text("utf-8") for name in readers)
    of_replies = set(re.findall(r'DecisionError\(\s*"(\w+)"', sources))
    of_engines = {f"engine_{kind}" for kind in get_args(ErrorKind)}
    of_platforms = {kind.value for kind in OutcomeKind} - {OutcomeKind.DONE.value}
    documented = _first_cells(DOCS / "run-directory.md", "Failure kinds")
    assert len(documented) == len(set(documented))
    assert set(documented) == of_replies | of_engines | of_platforms


def test_run_directory_page_lists_every_state() -> None:
    page = (DOCS / "run-directory.md").read_text("utf-8")
    assert not [state for state in get_args(State) if f"`{state}`" not in page]


def test_adapters_page_lists_every_rendering() -> None:
    listed = _first_cells(DOCS / "adapters.md", "Renderings, and the action prior")
    assert sorted(listed) == sorted(RENDERINGS)


def test_adapters_page_lists_every_field_of_the_spec() -> None:
    assert _first_cells(DOCS / "adapters.md", "What an adapter is") == list(LoraSpec.__dataclass_fields__)


def test_adapters_page_lists_every_state_with_those_that_may_follow() -> None:
    page = DOCS / "adapters.md"
    assert _first_cells(page, "States") == list(STATES)
    for state in STATES:
        (cells,) = re.findall(rf"^\| `{state}` \|[^|]+\|([^|]+)\|$", page.read_text("utf-8"), re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", cells)) == LEGAL[state]


def test_study_page_lists_every_reading() -> None:
    page = (DOCS / "study.md").read_text("utf-8")
    assert not [reading for reading in READINGS if f"`{reading}`" not in page]


def test_comparison_page_lists_every_condition() -> None:
    assert _first_cells(DOCS / "comparison.md", "Conditions") == list(CONDITIONS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_between_pages_resolve(page: Path) -> None:
    for target in links(page):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name}: {target}: no such file"
        assert there.is_relative_to(REPOSITORY), f"{page.name}: {target}: leaves the repository"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_files_named_on_a_page_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", page.read_text("utf-8"))
    assert not [name for name in named if name not in BROUGHT and not (REPOSITORY / name).exists()]


@pytest.mark.parametrize(
    "page", sorted((REPOSITORY / "scenarios").glob("*.yaml")), ids=lambda page: page.stem
)
def test_every_scenario_has_a_page_in_four_sections(page: Path) -> None:
    text = page.with_suffix(".md").read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Summary", "How to run", "Files", "Source"]


def test_docstring_examples_of_the_public_api_hold() -> None:
    tried = doctest.testmod(plures)
    assert tried.attempted > 0
    assert tried.failed == 0


@pytest.fixture
def beside_the_scenarios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the shipped scenarios, as the current directory, on a wide terminal."""
    shutil.copytree(REPOSITORY / "scenarios", tmp_path / "scenarios")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("PLURES_STORE", raising=False)
    return tmp_path


@pytest.mark.usefixtures("beside_the_scenarios")
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_page_runs(page: Path) -> None:
    """Every command exits as shown and every example prints what stands below it."""
    assert Session(page).run() > 2


SHORT = {
    "plures validate": SMALL,
    "plures run": SMALL,
    "plures adapters train": f"--users 4 {SMALL}",
    "plures adapters evaluate": f"--users 4 --held-out 5 {SMALL}",
}
"""What shortens the commands of pages that show them at full size."""


@pytest.mark.parametrize(
    "name", ["README.md", "scenarios/quickstart.md", "scenarios/opinions.md", "scenarios/timelines.md"]
)
def test_commands_run_but_for_their_size(name: str, beside_the_scenarios: Path) -> None:
    """`make` is what runs the tests; `posts` stands for the reader's own file."""
    assert run_command("plures corpus make town --users 8 --posts 20").code == 0
    posts = (beside_the_scenarios / "town" / "timelines.jsonl").read_bytes()
    (beside_the_scenarios / "posts.jsonl").write_bytes(posts)
    (beside_the_scenarios / "posts.jsonl.gz").write_bytes(gzip.compress(posts))
    assert Session(REPOSITORY / name, shrink=SHORT, left_out=("make",)).run() > 2


def test_commands_of_the_scenario_on_a_real_model_run_on_the_tiny_one(beside_the_scenarios: Path) -> None:
    """SmolLM2 is not fetched by the tests, and takes too long for them."""
    assert run_command("plures corpus make town --users 8 --posts 20").code == 0
    posts = (beside_the_scenarios / "town" / "timelines.jsonl").read_bytes()
    (beside_the_scenarios / "posts.jsonl.gz").write_bytes(gzip.compress(posts))
    less = "--set base=tiny-moe --set adapters.first_layer=0 --set population.held_out_posts=2"
    tiny = {beginning: f"{more} {less}" for beginning, more in SHORT.items()}
    assert Session(REPOSITORY / "scenarios" / "people-smollm2.md", shrink=tiny).run() == 3


@pytest.mark.usefixtures("beside_the_scenarios")
def test_commands_of_the_served_scenario_run_on_the_local_engine() -> None:
    """vLLM is neither installed nor started here: the live tests do that."""
    less = "--set engine.kind=local --set corpus.users=10 --set corpus.posts_per_user=16 --set seeds=[0]"
    less += " --set population.held_out_posts=2"
    local = {beginning: f"{more} {less}" for beginning, more in SHORT.items()}
    page = REPOSITORY / "scenarios" / "served.md"
    assert Session(page, shrink=local, left_out=("plures serve install",)).run() > 2


def test_blocks_know_their_output_and_their_files(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nprint(1)\n```\n\n```text\n1\n```\n\n<!-- file: a.yaml -->\n```yaml\nb: 1\n```\n"
        "<!-- not run: no need -->\n```console\n$ rm -r /\n```\n```console\n$ ls   # all\nx\n$ pwd\n```\n",
        "utf-8",
    )
    python, _, file, console = blocks(page)
    assert (python.text, python.shown, python.line) == ("print(1)\n", "1\n", 1)
    assert (file.file, file.text) == ("a.yaml", "b: 1\n")
    assert list(commands(console)) == [("ls", "x\n"), ("pwd", "")]


def test_shown_lines_must_occur_in_order() -> None:
    printed = "one  1\ntwo 2\nthree 3\n"
    assert missing_lines("one 1\nthree ...\n", printed) == []
    assert missing_lines("...ree...\n", printed) == []
    assert missing_lines("three 3\none 1\n", printed) == ["one 1"]
    assert missing_lines("tw\n", printed) == ["tw"]


def test_page_that_prints_something_else_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n```text\n2\n```\n", "utf-8")
    with pytest.raises(AssertionError, match=r"page.md:1"):
        Session(page).run()


def test_command_that_fails_where_it_should_not_fails_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ plures report nowhere\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="nowhere: no run here"):
        Session(page).run()
