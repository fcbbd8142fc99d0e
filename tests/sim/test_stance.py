from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from adapters.bases.loader import open_base
from adapters.engines.protocol import GenerateRequest, Message, Sampling, ScoreRequest
from adapters.errors import UnknownAdapterError
from agents.errors import CorpusError, JudgementError
from metrics.errors import StanceError
from metrics.stance import TEXT_KINDS, StanceWeights
from sim.drivers import run_drivers
from sim.errors import RunDirError, ScenarioError
from sim.labelled_texts import read_columns, read_labelled
from sim.people import gather
from sim.preparation import check, prepare
from sim.run_dir import RunDir
from sim.scenario import Scenario
from sim.scenario_file import load_scenario
from sim.stance import BareBase, NoAdapters, fit_scorer
from sim.stance_block import StanceBlock
from sim.stance_trial import KINDS

SMALL = Scenario.model_validate(
    {
        "name": "small",
        "corpus": {"users": 8, "posts_per_user": 16},
        "population": {"size": 4, "train_posts": 8, "held_out_posts": 1},
        "seeds": [0],
        "simulation": {"seed_posts": 2},
    }
)


def with_kind(kind: str, **more: object) -> Scenario:
    return SMALL.model_copy(update={"stance": StanceBlock.model_validate({"kind": kind, **more})})


def test_the_weights_of_a_scenario_are_those_of_its_keys() -> None:
    assert StanceBlock().weights == StanceWeights()
    assert StanceBlock(kind="lexicon", like=2.0).weights == StanceWeights(like=2.0)


def test_a_scenario_offers_every_kind_there_is() -> None:
    offered = get_args(StanceBlock.model_fields["kind"].annotation)
    assert offered == KINDS == (*TEXT_KINDS, "language_model")


@pytest.mark.parametrize("kind", ["tfidf", "lexicon"])
def test_the_scorer_is_of_the_kind_asked_for(kind: str) -> None:
    scenario = with_kind(kind)
    people = gather(scenario)
    scorer = fit_scorer(scenario, people, lambda: pytest.fail("no base is needed"))
    assert scorer.kind == kind
    assert (scorer.positive_side, scorer.negative_side) == people.sides
    assert scorer.held_out.n_users == len(people.splits)


def test_the_base_itself_can_be_the_judge_of_a_few_posts_of_each() -> None:
    scenario = with_kind("language_model", language_model={"posts_per_user": 2, "answers": ["good", "bad"]})
    ready = prepare(scenario)
    scorer = ready.scorer
    assert scorer.kind == "language_model"
    assert scorer.held_out.n_posts == 2 * scorer.held_out.n_users
    scores = scorer.score(["the new bridge is a gift", "the new bridge is a gift", "soup"])
    assert (np.abs(scores) <= 1).all()
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_a_base_that_judges_holds_no_weights_between_its_calls() -> None:
    """So that they never fill memory beside a server; read again, they say the same."""
    base = open_base("tiny-moe")
    engine = BareBase(base, token_budget=4096)
    request = ScoreRequest("a", base.encoder.prompt_ids((Message("user", "A tram?"),)), (300, 301))
    (before,) = engine.score([request])
    base.weights.release()
    (again,) = engine.score([request])
    assert before.error is None
    assert again == before
    (reply,) = engine.generate([GenerateRequest("b", request.prompt, None, Sampling(3, temperature=0))])
    assert reply.completion_tokens > 0


def test_validation_names_kind_and_record() -> None:
    (line,) = [line for line in check(with_kind("lexicon")) if line.startswith("stance scorer: lexicon, ")]
    assert "held-out people on their side" in line


def test_answers_of_which_one_begins_the_other_are_refused_before_anything_is_judged() -> None:
    scenario = with_kind("language_model", language_model={"answers": ["for", "foreign"]})
    with pytest.raises(JudgementError, match="begins 'foreign'"):
        prepare(scenario)


def test_questions_without_a_language_model_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("name: s\nstance:\n  language_model: {question: Who is it}\n", "utf-8")
    with pytest.raises(ScenarioError, match="set kind: language_model or delete these keys"):
        load_scenario(file)


def test_an_engine_of_the_bare_base_has_no_adapters() -> None:
    with pytest.raises(UnknownAdapterError, match="serves the base without adapters"):
        NoAdapters().open("r1")


def test_labelled_texts_are_read_from_their_columns_and_gaps_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,tweet,stance\n1,good  day,FAVOR\n2,,FAVOR\n3,bad,\n4,so,NONE\n", "utf-8")
    read = read_labelled(file)
    assert read.texts == ("good day", "so")
    assert (read.labels, read.users, read.left_out) == (("FAVOR", "NONE"), None, 2)
    assert read_labelled(file, user="id").users == ("1", "4")
    assert len(read_labelled(file, needs_label=False).texts) == 3
    assert len(read.sample(1, np.random.default_rng(0)).texts) == 1
    assert read.sample(5, np.random.default_rng(0)) is read


def test_columns_that_are_not_there_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("words,a,b\nx,1,\n", "utf-8")
    with pytest.raises(
        CorpusError, match=r"column of the text: none has a usual name; there are words, a, b"
    ):
        read_labelled(file)
    with pytest.raises(CorpusError, match="column of the label: no column 'c'"):
        read_labelled(file, text="words", label="c")
    with pytest.raises(CorpusError, match="no row with words and b; 1 rows were left out"):
        read_labelled(file, text="words", label="b")
    (tmp_path / "b.csv").write_text("text,label,stance\nx,1,2\n", "utf-8")
    with pytest.raises(CorpusError, match="label and stance could all be it"):
        read_labelled(tmp_path / "b.csv")
    assert read_columns(file, ("a", "b")).isna().to_numpy().tolist() == [[False, True]]


def test_changes_in_a_run_are_joined_with_what_was_shown(
    small_run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[pd.DataFrame] = []
    monkeypatch.setattr("sim.drivers.fit_drivers", tables.append)
    found = run_drivers(small_run, "lora", 8)
    assert set(found.changes["seed"]) == {0, 1}
    (table,) = tables
    assert len(table) > 0
    assert table["user_id"].between(0, 7).all()
    assert table["shown_stance"].between(-1, 1).all()
    with pytest.raises(RunDirError, match=r"no finished cell of lora at N=9; there are lora at N=8"):
        run_drivers(small_run, "lora", 9)


def test_too_few_people_who_changed_are_refused(small_run: RunDir) -> None:
    with pytest.raises(ValueError, match="at least 10 are needed"):
        run_drivers(small_run, "lora", 8)


def test_sides_that_cannot_be_learnt_are_an_error_of_the_user() -> None:
    scenario = with_kind("tfidf")
    people = gather(scenario)
    lone = {u: s for u, s in people.splits.items() if s.user.side == people.sides[0]}
    with pytest.raises(StanceError, match="exactly two sides"):
        fit_scorer(scenario, type(people)(**{**people.__dict__, "splits": lone}), lambda: pytest.fail("base"))
