"""Scenario files: what is right is read, what is wrong is named with its line, key and cure."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import ScenarioError
from sim.scenario import FileCorpus, Scenario
from sim.scenario_file import as_plain, load_scenario


def _load(tmp_path: Path, text: str, *overrides: str) -> Scenario:
    path = tmp_path / "s.yaml"
    path.write_text(text, "utf-8")
    return load_scenario(path, overrides)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\nsede: [1]\n", r"s\.yaml:2: sede: unknown key\. Did you mean seeds\?"),
        (
            "name: a\npopulation:\n  sizze: 3\n",
            r"s\.yaml:3: population\.sizze: unknown key\. Did you mean size\?",
        ),
        (
            "name: a\ncorpus:\n  kind: file\n  path: x.csv\n  tabel: y\n",
            r"s\.yaml:5: corpus\.tabel: unknown key\. Did you mean table\?",
        ),
        ("name: a\ncorpus:\n  kind: web\n", r"s\.yaml:2: corpus: got .*'synthetic', 'file'"),
        (
            "name: a\nadapters:\n  rank: -8\n",
            r"s\.yaml:3: adapters\.rank: got -8; input should be greater than or equal to 1",
        ),
        ("name: a\nseeds: [1, 1]\n", r"seeds: got \[1, 1\]; expected at least one value, each once"),
        (
            "name: a\npopulation: {size: 1}\n",
            r"size: got \[1\]; expected distinct whole numbers of at least 2",
        ),
        ("name: a\nconditions: [lora, permuted]\n", r"compare\.control: shared_base is not among conditions"),
        ("name: a\nname: b\n", r"s\.yaml:2: name: given twice, first on line 1"),
        ("base: tiny-moe\n", r"name: missing"),
        ("name: [\n", r"s\.yaml:2: no valid YAML"),
        ("", r"expected `key: value` lines.*an empty file"),
        ("- a\n", r"expected `key: value` lines.*a list"),
        ("name: a\nsimulation: {actions: [like_post]}\n", r"do_nothing or create_post"),
    ],
)
def test_problem_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ScenarioError, match=expected):
        _load(tmp_path, text)


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        _load(tmp_path, "name: a\nbasis: x\nadapters: {rank: 0}\n")
    assert len(str(caught.value).splitlines()) == 2


def test_missing_file_lists_neighbours(tmp_path: Path) -> None:
    (tmp_path / "near.yaml").write_text("name: a\n")
    with pytest.raises(ScenarioError, match=r"no such file\. Scenarios there: .*near\.yaml"):
        load_scenario(tmp_path / "far.yaml")


def test_non_utf8_names_the_byte(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ScenarioError, match="byte 6 is not UTF-8"):
        load_scenario(tmp_path / "s.yaml")


def test_override_wins_and_is_checked(tmp_path: Path) -> None:
    assert _load(tmp_path, "name: a\n", "population.size=32", "seeds=[4,5]").population.size == (32,)
    with pytest.raises(ScenarioError, match=r"--set population: expected KEY=VALUE"):
        _load(tmp_path, "name: a\n", "population")
    with pytest.raises(ScenarioError, match="name is no block"):
        _load(tmp_path, "name: a\n", "name.x=1")
    with pytest.raises(ScenarioError, match=r"population\.sise: unknown key"):
        _load(tmp_path, "name: a\n", "population.sise=32")


def test_relative_paths_start_at_the_scenario(tmp_path: Path) -> None:
    scenario = _load(tmp_path, "name: a\nbase: ./models/x\ncorpus: {kind: file, path: data/t.csv}\n")
    assert isinstance(scenario.corpus, FileCorpus)
    assert scenario.corpus.path == tmp_path / "data" / "t.csv"
    assert scenario.base == str(tmp_path / "models" / "x")
    assert _load(tmp_path, "name: a\nbase: Qwen/Qwen3-0.6B\n").base == "Qwen/Qwen3-0.6B"


@given(
    size=st.lists(st.integers(2, 5000), min_size=1, max_size=3, unique=True),
    seeds=st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
    rank=st.integers(1, 512),
    temperature=st.floats(0, 5),
)
def test_yaml_round_trip(size: list[int], seeds: list[int], rank: int, temperature: float) -> None:
    """Scenario → plain values → YAML → scenario is the identity."""
    scenario = Scenario.model_validate(
        {
            "name": "round",
            "population": {"size": size},
            "seeds": seeds,
            "adapters": {"rank": rank},
            "simulation": {"sampling": {"temperature": temperature}},
        }
    )
    again = Scenario.model_validate(yaml.safe_load(yaml.safe_dump(dict(as_plain(scenario)))))
    assert again == scenario


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[2].joinpath("scenarios").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_scenarios_are_valid(path: Path) -> None:
    assert load_scenario(path).name == path.stem


def test_paths_start_at_the_scenario_in_a_file_and_at_the_current_folder_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "my-base").mkdir(parents=True)
    monkeypatch.chdir(here)
    text = "name: a\ncorpus: {kind: file, path: posts.csv}\n"
    in_file = _load(tmp_path, text)
    told = _load(tmp_path, text, "corpus.path=posts.csv", "base=my-base")
    assert isinstance(in_file.corpus, FileCorpus)
    assert isinstance(told.corpus, FileCorpus)
    assert in_file.corpus.path == tmp_path / "posts.csv"
    assert told.corpus.path == here / "posts.csv"
    assert (in_file.base, told.base) == ("tiny-moe", str(here / "my-base"))
