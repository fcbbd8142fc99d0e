from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from sim.errors import RunAgentError, RunDirError
from sim.people import gather
from sim.platform_tables import read_tables
from sim.run_agents import find_agent
from sim.run_dir import CellDir, RunDir
from sim.views.agent_across import ACROSS_COLUMNS, across, stance_over_steps
from sim.views.agents import (
    ACT_COLUMNS,
    OWN,
    acts,
    carried,
    moment,
    store_of,
    told,
    training_posts,
    written,
)


@pytest.fixture
def cell(small_run: RunDir) -> CellDir:
    return small_run.cells()[0]


def named(run: RunDir, name: str) -> CellDir:
    return next(cell for cell in run.cells() if cell.key.id == name)


def test_acts_are_the_agents_rows_of_the_ledger(small_run: RunDir, cell: CellDir) -> None:
    ledger = cell.ledger.read()
    posts = read_tables(cell.database).posts.set_index("post_id")
    shown = pd.concat([acts(small_run, cell, agent) for agent in range(8)])
    assert list(shown.columns) == ACT_COLUMNS
    assert len(shown) == len(ledger)
    for agent in range(8):
        rows = ledger[ledger["agent_id"] == agent]
        mine = acts(small_run, cell, agent)
        assert mine["step"].tolist() == rows["step"].tolist()
        assert mine["outcome"].tolist() == rows["outcome"].tolist()
        for about, post_id in zip(mine["about"], rows["post_id"], strict=True):
            if pd.notna(post_id):
                post = posts.loc[post_id]
                words = post["content"] if pd.isna(post["quote_content"]) else post["quote_content"]
                assert about.endswith(f": {words}")


def test_a_moment_shows_the_prompt_and_the_posts_in_it(small_run: RunDir, cell: CellDir) -> None:
    for row in cell.ledger.read().itertuples():
        seen = moment(small_run, cell, row.agent_id, row.step)
        assert (seen.prompt, seen.reply) == (row.prompt, row.reply)
        lines = [line for line in row.prompt.splitlines() if line.startswith("[")]
        for line, entry in zip(lines, seen.feed.to_dict("records"), strict=True):
            assert line.startswith(f"[{entry['place']}] {entry['handle']}, {entry['likes']} likes")
            assert ("you liked" in line) == ("liked" in entry["marks"].split(", "))
        assert seen.feed["chosen"].sum() == (0 if pd.isna(row.post_id) else 1)


def test_a_step_at_which_an_agent_did_nothing_has_no_moment(small_run: RunDir, cell: CellDir) -> None:
    with pytest.raises(RunAgentError, match="agent 3 did not act at step 9"):
        moment(small_run, cell, 3, 9)


def test_what_was_written_is_everything_with_words_of_ones_own(cell: CellDir) -> None:
    tables = read_tables(cell.database)
    texts = pd.concat([written(cell, agent) for agent in range(8)])
    posts = tables.posts
    reposts = posts["original_post_id"].notna() & posts["quote_content"].isna()
    assert len(texts) == (~reposts).sum() + len(tables.comments)
    assert (texts["kind"] == "quote").sum() == posts["quote_content"].notna().sum()
    assert texts.loc[texts["kind"] == "post", "answer_to"].isna().all()
    assert texts.loc[texts["kind"] != "post", "answer_to"].notna().all()
    for agent in range(8):
        assert written(cell, agent)["step"].is_monotonic_increasing


def test_texts_are_told_with_their_step_kind_and_likes() -> None:
    frame = pd.DataFrame(
        {
            "step": [1, 2],
            "kind": ["post", "comment"],
            "text": ["Hi.", "No."],
            "likes": pd.array([1, None], "Int64"),
        }
    )
    assert told(frame) == ["Step 1, post, 1 like\nHi.", "Step 2, comment\nNo."]


def test_training_posts_are_what_the_adapters_learned(small_run: RunDir) -> None:
    people = gather(small_run.scenario)
    posts = training_posts(small_run)
    drawn = {agent.user_id for agent in people.populations[8]}
    assert set(posts["user_id"]) == drawn
    for user_id, rows in posts.groupby("user_id"):
        assert rows["text"].tolist() == [post.text for post in people.splits[str(user_id)].train]


def test_a_changed_corpus_is_told_and_not_shown(small_run: RunDir, tmp_path: Path) -> None:
    manifest = json.loads(small_run.manifest_file.read_text("utf-8"))
    manifest["corpus"]["sha256"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(RunDirError, match=r"the corpus .* has changed since this run was made"):
        training_posts(RunDir.open(tmp_path))


def test_everybody_knows_whose_adapter_they_carry(small_run: RunDir) -> None:
    agent = find_agent(small_run, 8, 3)
    whose = {
        condition: carried(small_run, named(small_run, f"{condition}-n8-s0"), agent)
        for condition in small_run.scenario.conditions
    }
    own = small_run.manifest["adapters"]["own"]
    assert whose["lora"] == (own[agent.user_id], OWN)
    assert whose["shared_base"].revision is None
    assert whose["one_for_all"].whose.startswith("one for all")
    assert whose["zero"].whose.startswith("the zero adapter")
    owner = next(user for user, revision in own.items() if revision == whose["permuted"].revision)
    assert whose["permuted"].whose == f"that of @{find_agent(small_run, 8, owner).handle}"


def test_the_store_of_a_run_is_the_one_with_its_adapters(
    small_run: RunDir, small_store: Path, tmp_path: Path
) -> None:
    assert store_of(small_run, [tmp_path, small_store]) == small_store
    assert store_of(small_run, [tmp_path]) is None


def test_the_same_agent_is_counted_in_every_cell(small_run: RunDir) -> None:
    agent = find_agent(small_run, 8, 3)
    frame = across(small_run, 8, agent)
    assert list(frame.columns) == ACROSS_COLUMNS
    assert frame["cell"].tolist() == [cell.key.id for cell in small_run.cells()]
    for row in frame.to_dict("records"):
        cell = named(small_run, row["cell"])
        tables, ledger = read_tables(cell.database), cell.ledger.read(["agent_id", "ok"])
        mine = ledger[ledger["agent_id"] == 3]
        assert (row["acts"], row["failures"]) == (len(mine), (~mine["ok"]).sum())
        assert row["comments"] == (tables.comments["user_id"] == 3).sum()
        assert row["likes_given"] == (tables.likes["user_id"] == 3).sum()
        assert (
            row["posts"] + row["quotes"] + row["reposts"]
            == ((tables.posts["user_id"] == 3) & ~(tables.posts["created_at"] == 0)).sum()
        )
        stance = cell.read_stance().query("user_id == 3 and step == 2")["stance"].iloc[0]
        assert row["stance"] == pytest.approx(stance, nan_ok=True)


def test_stances_over_steps_cover_finished_cells_and_end_as_told(small_run: RunDir, tmp_path: Path) -> None:
    agent = find_agent(small_run, 8, 3)
    plotted = stance_over_steps(small_run, 8, agent)
    assert len(plotted.frame) == 10 * 3
    assert plotted.alt.count("seed") == 10
    shutil.copytree(small_run.path, tmp_path / "run")
    run = RunDir.open(tmp_path / "run")
    for cell in run.cells():
        cell.metrics_file.unlink()
    none = stance_over_steps(run, 8, agent)
    assert none.frame.empty
    assert "No cell is finished yet" in none.alt
    assert len(across(run, 8, agent)) == 10
