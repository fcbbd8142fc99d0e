from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.documents import run_command
from tests.metrics.stance.test_fitting import corpus
from tests.metrics.stance.test_labelled import labelled


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, seed in (("train", 0), ("val", 1)):
        rows = zip(*labelled(seed=seed), strict=True)
        _write(tmp_path / f"{name}.csv", ["text", "stance"], rows)
    _write(tmp_path / "posts.csv", ["text", "side", "user_id"], zip(*corpus(), strict=True))
    return tmp_path


def _write(path: Path, head: list[str], rows: object) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])  # type: ignore[misc]


def test_evaluate_gives_the_record_of_every_scorer(files: Path) -> None:
    scorers = "--scorer tfidf --scorer lexicon"
    shown = run_command(f"plures stance evaluate {files}/train.csv --test {files}/val.csv {scorers} --quiet")
    assert shown.code == 0, shown.err
    assert "macro-F1" in shown.out
    assert "AGAINST" in shown.out
    ran = run_command(
        f"plures stance evaluate {files}/train.csv --test {files}/val.csv {scorers} --json --quiet"
    )
    facts = json.loads(ran.out)
    assert [one["scorer"] for one in facts["scorers"]] == ["tfidf", "lexicon"]
    assert facts["scorers"][0]["test"]["macro_f1"] > 0.6
    assert facts["scorers"][0]["held_out"]["n_folds"] == 5


def test_the_toy_base_judges_and_is_called_a_toy(files: Path) -> None:
    ran = run_command(
        f"plures stance evaluate {files}/train.csv --sample 18 --scorer language_model "
        "--answer AGAINST=bad --answer FAVOR=good --quiet"
    )
    assert ran.code == 0, ran.err
    assert "language_model (toy base)" in ran.out
    assert "18 labelled texts" in ran.out


def test_sides_tells_users_of_two_sides(files: Path) -> None:
    ran = run_command(f"plures stance sides {files}/posts.csv --positive up --json --quiet")
    facts = json.loads(ran.out)
    assert facts["positive"] == "up"
    assert facts["scorers"][0]["accuracy_user"] == 1.0
    assert "down (−1) to up (+1)" in run_command(f"plures stance sides {files}/posts.csv --quiet").out


def test_score_writes_a_table_of_stances(files: Path) -> None:
    out = files / "scores.csv"
    ran = run_command(f"plures stance score {files}/train.csv {files}/val.csv --out {out} --quiet")
    assert ran.code == 0, ran.err
    assert "AGAINST (−1) to FAVOR (+1); macro-F1" in ran.out
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 240
    assert all(-1 <= float(row["stance"]) <= 1 for row in rows)
    for row in rows:
        assert float(row["stance"]) == pytest.approx(float(row["p_FAVOR"]) - float(row["p_AGAINST"]))


def test_agreement_is_krippendorffs_alpha(tmp_path: Path) -> None:
    """The published binary example; see tests/metrics/test_agreement.py."""
    ones = {("Meg", 2), ("Meg", 9), ("Owen", 1), ("Owen", 2), ("Owen", 3), ("Owen", 6)}
    rows = [(unit, who, int((who, unit) in ones)) for who in ("Meg", "Owen") for unit in range(1, 11)]
    _write(tmp_path / "ratings.csv", ["unit", "rater", "label"], rows)
    facts = json.loads(run_command(f"plures stance agreement {tmp_path}/ratings.csv --json").out)
    assert facts["alpha"] == pytest.approx(0.095, abs=5e-4)
    shown = run_command(f"plures stance agreement {tmp_path}/ratings.csv --level interval").out
    assert "alpha (interval) 0.0952: 10 units, 2 annotators" in shown


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("evaluate {f}/train.csv --scorer bert", "--scorer bert: expected one of tfidf, minilm"),
        ("evaluate {f}/nowhere.csv", "nowhere.csv: no such file"),
        ("evaluate {f}/train.csv --answer AGAINST", "expected LABEL=WORD"),
        ("evaluate {f}/train.csv --scorer language_model --answer PRO=yes", "answer of 'PRO': no such label"),
        ("sides {f}/posts.csv --user name", "column of the user: no column 'name'"),
        ("score {f}/train.csv {f}/val.csv --out {f}/o.csv --positive PRO", "label 'PRO': expected one of"),
        ("agreement {f}/train.csv --level cardinal", "level: got 'cardinal'; expected one of nominal"),
        ("drivers {f}", "no run here"),
    ],
)
def test_mistakes_of_the_user_are_one_message(files: Path, command: str, message: str) -> None:
    ran = run_command(
        f"plures stance {command.format(f=files)}"
        + (" --quiet" if "agree" not in command and "driv" not in command else "")
    )
    assert ran.code == 2
    assert message in ran.err
    assert not (files / "o.csv").exists()
