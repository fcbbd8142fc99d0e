"""One agent of one cell: what it did, what it saw when it did so, what it wrote, whose adapter it carries."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from agents.population import Agent as Agent
from sim.errors import RunAgentError
from sim.numbers import counted
from sim.people import gather_again
from sim.platform_tables import open_database
from sim.run_agents import feed_at
from sim.run_dir import CellDir, RunDir
from sim.views.adapters import store_with

ACT_COLUMNS = ["step", "action", "outcome", "words", "about", "ok", "error", "prompt_tokens", "reply_tokens"]
OWN = "the agent's own, trained on its person's posts"
WORD_COLUMNS = ["step", "kind", "text", "likes", "answer_to"]

_WORDS = """
SELECT created_at, iif(original_post_id IS NULL, 'post', 'quote'), coalesce(quote_content, content), num_likes,
       iif(original_post_id IS NULL, NULL, content), 0
FROM post WHERE user_id = :agent AND (original_post_id IS NULL OR quote_content IS NOT NULL)
UNION ALL
SELECT reply.created_at, 'comment', reply.content, NULL, post.content, 1
FROM comment AS reply JOIN post ON post.post_id = reply.post_id WHERE reply.user_id = :agent
ORDER BY 1, 6
"""
_POSTS = """
SELECT post.post_id, author.user_name, coalesce(post.quote_content, post.content)
FROM post JOIN user AS author ON author.user_id = post.user_id
WHERE post.post_id IN (SELECT value FROM json_each(?))
"""


class Moment(NamedTuple):
    """What an agent saw when it acted, and what it answered.

    Args:
        prompt: as the model read it.
        reply: as the model wrote it.
        feed: columns place, handle, side, text, likes, marks (the agent's own, in words), chosen (the act was about
            this post); likes and marks as they were.
        facts: columns what, value.
    """

    prompt: str
    reply: str
    feed: pd.DataFrame
    facts: pd.DataFrame


class Carried(NamedTuple):
    """The adapter of an agent in a cell.

    Args:
        revision: full id, or None for the bare base.
        whose: what it is, in words.
    """

    revision: str | None
    whose: str


def acts(run: RunDir, cell: CellDir, agent_id: int) -> pd.DataFrame:
    """Everything that an agent decided, failures included.

    Returns:
        Columns of `ACT_COLUMNS`: `about` is the post or user that an act is about, in words; `reply_tokens` their
        number.

    Raises:
        RunDirError: for files that are missing or damaged.
    """
    columns = [
        "step", "agent_id", "action", "post_id", "followee_id", "content", "outcome", "ok", "error",
        "prompt_tokens", "reply_tokens",
    ]  # fmt: skip
    rows = cell.ledger.read(columns)
    rows = rows[rows["agent_id"] == agent_id].reset_index(drop=True)
    handle = run.read_population(cell.key.size).set_index("agent_id")["handle"]
    with open_database(cell.database) as database:
        post = _posts(database, rows["post_id"].dropna().astype(int))
    about = [
        post.get(int(post_id), "")
        if pd.notna(post_id)
        else (f"@{handle[int(followee)]}" if pd.notna(followee) else "")
        for post_id, followee in zip(rows["post_id"], rows["followee_id"], strict=True)
    ]
    frame = rows.assign(
        about=pd.Series(about, dtype=object),
        words=rows["content"].fillna(""),
        action=rows["action"].fillna("none"),
        error=rows["error"].fillna(""),
        reply_tokens=rows["reply_tokens"].map(len),
    )
    return frame[ACT_COLUMNS]


def moment(run: RunDir, cell: CellDir, agent_id: int, step: int) -> Moment:
    """What an agent had before it at one step at which it acted.

    Raises:
        RunAgentError: when it did not act at that step.
        RunDirError: for files that are missing or damaged.
    """
    rows = cell.ledger.read()
    rows = rows[(rows["agent_id"] == agent_id) & (rows["step"] == step)]
    if rows.empty:
        raise RunAgentError(f"{cell.path}: agent {agent_id} did not act at step {step}")
    row = rows.iloc[0]
    people = run.read_population(cell.key.size).set_index("agent_id")
    entries = feed_at(cell, agent_id, step, list(row["feed"]))
    feed = pd.DataFrame(
        [
            (
                place, f"@{e.handle}", people["side"][e.author_id], e.text, e.likes,
                _marks(e.following, e.liked, e.disliked, e.reposted), e.post_id == row["post_id"],
            )
            for place, e in enumerate(entries, 1)
        ],
        columns=["place", "handle", "side", "text", "likes", "marks", "chosen"],
    )  # fmt: skip
    facts = {
        "outcome": row["outcome"],
        "what went wrong": row["error"] if pd.notna(row["error"]) else "nothing",
        "adapter": row["adapter"] if pd.notna(row["adapter"]) else "none: the bare base",
        "decoding seed": str(row["seed"]),
        "prompt": f"{row['prompt_tokens']} tokens, SHA-256 {row['prompt_sha256'][:12]}…",
        "reply": f"{len(row['reply_tokens'])} tokens, finished by {row['finish_reason']}",
        "log-probability of the reply": f"{row['logprob']:.2f} nats",
    }
    return Moment(
        row["prompt"], row["reply"], feed, pd.DataFrame(list(facts.items()), columns=["what", "value"])
    )


def written(cell: CellDir, agent_id: int) -> pd.DataFrame:
    """What an agent wrote, seeds (step 0) included.

    Returns:
        Columns of `WORD_COLUMNS`, in the order of steps: kind is `post`, `quote` or `comment`; likes by now (missing
        for comments); answer_to, the words that a quote or comment is about.

    Raises:
        RunDirError: for a database that is missing or damaged.
    """
    with open_database(cell.database) as database:
        rows = database.execute(_WORDS, {"agent": agent_id}).fetchall()
    frame = pd.DataFrame([row[:5] for row in rows], columns=WORD_COLUMNS)
    return frame.astype({"likes": "Int64"})


def told(texts: pd.DataFrame) -> list[str]:
    """Rows of `written` as a person reads them: when, what, and the words."""
    return [
        f"Step {row['step']}, {row['kind']}"
        + ("" if pd.isna(row["likes"]) else f", {counted(int(row['likes']), 'like')}")
        + f"\n{row['text']}"
        for row in texts.to_dict("records")
    ]


def training_posts(run: RunDir) -> pd.DataFrame:
    """What everybody's adapter was trained on, from the corpus of the run.

    Returns:
        Columns user_id, time, text; each person's in the order of time.

    Raises:
        RunDirError: when the corpus is no longer the one that the run was made with.
        CorpusError: when it cannot be read.
    """
    people = gather_again(run)
    drawn = sorted({agent.user_id for population in people.populations.values() for agent in population})
    return pd.DataFrame(
        [(user, post.time, post.text) for user in drawn for post in people.splits[user].train],
        columns=["user_id", "time", "text"],
    )


def carried(run: RunDir, cell: CellDir, agent: Agent) -> Carried:
    """Which adapter an agent has in a cell, and whose it is.

    Raises:
        RunDirError: for a binding file that is missing or damaged.
    """
    revision = cell.read_bindings().get(agent.agent_id)
    known = run.manifest.get("adapters", {"own": {}, "pooled": None, "zero": None})
    if revision is None:
        return Carried(None, "none: the bare base")
    if revision == known["own"].get(agent.user_id):
        return Carried(revision, OWN)
    if revision == known["pooled"]:
        return Carried(revision, "one for all, trained on everybody's posts")
    if revision == known["zero"]:
        return Carried(revision, "the zero adapter, which changes nothing")
    handles = run.read_population(cell.key.size).set_index("user_id")["handle"].to_dict()
    owner = next((user for user, own in known["own"].items() if own == revision), None)
    return Carried(revision, f"that of @{handles[owner]}" if owner in handles else "somebody else's")


def store_of(run: RunDir, stores: Sequence[Path]) -> Path | None:
    """The first of some adapter stores that holds the adapters of a run; None where none does, or the run has none."""
    known = run.manifest.get("adapters", {"own": {}, "pooled": None, "zero": None})
    wanted = [*known["own"].values(), known["pooled"], known["zero"]]
    revision = next((revision for revision in wanted if revision is not None), None)
    return store_with(stores, revision) if revision else None


def _posts(database: sqlite3.Connection, post_ids: Iterable[int]) -> dict[int, str]:
    rows = database.execute(_POSTS, (json.dumps([int(post_id) for post_id in post_ids]),))
    return {post_id: f"@{handle}: {text}" for post_id, handle, text in rows}


def _marks(following: bool, liked: bool, disliked: bool, reposted: bool) -> str:
    marks = {"follows": following, "liked": liked, "disliked": disliked, "reposted": reposted}
    return ", ".join(name for name, on in marks.items() if on)
