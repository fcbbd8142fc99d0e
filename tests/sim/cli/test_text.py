from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metrics.errors import EmbeddingError
from metrics.text import embeddings
from sim.cli.app import app
from sim.errors import RunDirError
from sim.run_dir import RunDir

runner = CliRunner()


@pytest.fixture
def run(small_run: RunDir, tmp_path: Path) -> Path:
    """A copy of the small run, to be written to."""
    return shutil.copytree(small_run.path, tmp_path / "run")


def test_tables_are_printed_and_files_written(run: Path) -> None:
    shown = runner.invoke(app, ["text", str(run), "--no-embeddings", "--quiet"], catch_exceptions=False)
    assert shown.exit_code == 0
    for words in (
        "TOY BASE",
        "Do texts reveal the person?",
        "the adapter's owner",
        "Distinct-2",
        "Loss of person",
    ):
        assert words in shown.stdout
    assert "meaning" not in shown.stdout
    assert {"text_metrics.parquet", "text_estimates.parquet", "text.html"} <= {f.name for f in run.iterdir()}


def test_json_holds_values_estimates_and_comparison(run: Path) -> None:
    shown = runner.invoke(app, ["text", str(run), "--no-embeddings", "--json"], catch_exceptions=False)
    printed = json.loads(shown.stdout)
    assert set(printed) == {"values", "estimates", "comparison"}
    assert {"condition", "n", "seed", "metric", "step", "value"} == set(printed["values"][0])
    assert any(row["metric"] == "author_top1_post" for row in printed["estimates"])


def test_missing_run_and_missing_embeddings_are_the_user_s_to_mend(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunDirError, match="no run here"):
        runner.invoke(app, ["text", str(tmp_path / "nowhere")], catch_exceptions=False)
    embeddings.load_minilm.cache_clear()
    monkeypatch.setattr(embeddings, "PACKAGE", "no_such_package_here")
    with pytest.raises(EmbeddingError, match="pip install"):
        runner.invoke(app, ["text", str(run)], catch_exceptions=False)
    assert not (run / "text.html").exists()
