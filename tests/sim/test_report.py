"""What people read of a run: the HTML page and the tables of the terminal, on one small run."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from metrics.cascade import gini, likes_per_post
from sim.attention import COLUMNS, engagement_tails, post_attention
from sim.cli.tables import comparison_tables
from sim.comparison import compare_run
from sim.figures import lorenz_figure
from sim.platform_tables import read_tables
from sim.report import write_report
from sim.report_tables import shared
from sim.run_dir import RunDir


@pytest.fixture(scope="module")
def page(small_run: RunDir) -> str:
    return small_run.report_file.read_text("utf-8")


def test_the_page_is_one_file_that_asks_for_nothing(page: str) -> None:
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", markup)


def test_every_figure_has_its_caption_as_the_alternative_in_words(page: str) -> None:
    captions = re.findall(r'<figure role="img" aria-label="([^"]+)">', page)
    assert len(captions) == page.count("<figcaption>") == 5
    assert len(set(captions)) == 5
    assert sum("Lorenz curves" in caption for caption in captions) == 1


def test_the_page_answers_with_effect_sizes_adjusted_p_values_and_seeds_needed(page: str) -> None:
    for heading in ("difference", "95% interval", "p", "Holm p", "BH q", "effect", "seeds", "needed"):
        assert f"<th>{heading}</th>" in page
    # two seeds: nothing of the kind can be given, and the page says so
    assert "two seeds: no effect size" in page
    assert "With 2 seeds no p can be below 0.5" in page


def test_only_rows_whose_interval_leaves_out_zero_are_bold(small_run: RunDir, page: str) -> None:
    table = compare_run(small_run)
    sure = ((table["low"] > 0) | (table["high"] < 0)).sum()
    assert page.count('<tr class="sure">') == sure < len(table)


def test_the_papers_tables_are_beside_ours_and_ours_are_labelled_a_toys(page: str) -> None:
    part = page[page.index("Beside the published study") : page.index("The tail of attention")]
    assert "Toy base." in part
    assert "<th>ours (toy base)</th>" in part
    assert all(number in part for number in ("0.388", "14.8", "+493"))


def test_tails_of_a_tiny_run_are_not_fitted_and_the_page_says_so(page: str) -> None:
    assert "not fitted: " in page


def test_attention_counts_every_post_of_every_cell(small_run: RunDir) -> None:
    attention = post_attention(small_run)
    assert list(attention.columns) == COLUMNS
    for cell in small_run.cells():
        tables = read_tables(cell.database)
        likes = likes_per_post(tables.posts, tables.likes)
        rows = attention.query("condition == @cell.key.condition and seed == @cell.key.seed")
        assert rows["likes"].tolist() == likes.tolist()
        assert rows["engagements"].sum() >= rows["likes"].sum() - len(tables.likes)
    assert set(engagement_tails(attention)) == set(small_run.scenario.conditions)


def test_the_lorenz_figure_draws_one_curve_a_condition_and_names_its_gini(small_run: RunDir) -> None:
    attention = pd.DataFrame(
        {"condition": ["lora"] * 4 + ["shared_base"] * 4, "likes": [0, 0, 0, 4, 1, 1, 1, 1]}
    )
    figure, caption = lorenz_figure(small_run, attention)
    assert [line.name for line in figure.data] == ["all alike", "lora", "shared_base"]
    assert (figure.data[1].y[-2], figure.data[2].y[-2]) == pytest.approx((0.0, 0.75))
    assert caption.endswith(f"lora {gini([0, 0, 0, 4]):.2f}, shared_base 0.00.")


def _printed(run: RunDir) -> str:
    console = Console(width=120, file=io.StringIO())
    console.print(comparison_tables(run))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_terminal_shows_what_the_answer_needs_within_its_width(small_run: RunDir) -> None:
    printed = _printed(small_run)
    for heading in ("difference", "95% interval", "Holm p", "effect", "seeds", "needed"):
        assert heading in printed
    assert "…" not in printed
    assert "Polarization distance" in printed


def test_a_cell_without_platform_and_with_stance_measures_only_fits_in(
    small_run: RunDir, tmp_path: Path
) -> None:
    """What a classical opinion model leaves: stance.parquet and the measures of one group."""
    copy = RunDir(tmp_path / "copy")
    shutil.copytree(small_run.path, copy.path)
    for cell in copy.cells():
        if cell.key.condition == "permuted":
            cell.database.unlink()
            (cell.path / "ledger.parquet").unlink()
            values = cell.read_metrics()
            values[values["metric"].str.startswith("stance_")].to_parquet(cell.metrics_file, index=False)
    page = write_report(copy).read_text("utf-8")
    assert "not measured under permuted: " in page
    assert "all of communities" in page
    assert np.isin(["permuted"], post_attention(copy)["condition"]).sum() == 0


def test_a_report_shows_the_largest_size_of_which_a_cell_is_finished(
    small_run: RunDir, tmp_path: Path
) -> None:
    """Sizes 8 and 16, of which no cell of 16 is finished yet."""
    manifest = json.loads(small_run.manifest_file.read_text("utf-8"))
    manifest["scenario"]["population"]["size"] = [8, 16]
    copy = RunDir(tmp_path / "copy")
    shutil.copytree(small_run.path, copy.path)
    copy.manifest_file.write_text(json.dumps(manifest), "utf-8")
    assert copy.finished_size == 8
    page = write_report(copy).read_text("utf-8")
    assert "10 of 20 cells are finished" in page
    assert len(re.findall("Stance of users after step 2 by side, N = 8", page)) == 2
    assert set(post_attention(copy)["condition"]) == set(small_run.scenario.conditions)


def test_the_page_says_that_only_weights_differ_where_that_is_true(page: str) -> None:
    assert "only weights differ." in page
    assert "Opinion models" not in page
    mixed = shared(["lora", "shared_base", "bounded_confidence"])
    assert mixed.startswith("Conditions with language agents (lora, shared_base) share people")
    assert "Opinion models (bounded_confidence) share people" in mixed
    assert "the whole agent differs, not only weights" in mixed
    assert "only weights differ" not in shared(["degroot", "lorenz"])


def test_there_is_no_empty_figure_of_ratios_before_the_scenarios_own_contrast_is_finished(
    small_run: RunDir, tmp_path: Path
) -> None:
    """Only `shared_base` and `zero` are finished; the scenario asks for `lora` against `shared_base`."""
    copy = RunDir(tmp_path / "copy")
    shutil.copytree(small_run.path, copy.path)
    for cell in copy.cells():
        if cell.key.condition not in ("shared_base", "zero"):
            shutil.rmtree(cell.path)
    page = write_report(copy).read_text("utf-8")
    assert "zero against shared_base" in page
    assert "as a multiple of" not in page
    for cell in copy.cells():
        if cell.key.condition == "zero":
            shutil.rmtree(cell.path)
    assert "There is nothing to compare yet." in write_report(copy).read_text("utf-8")
