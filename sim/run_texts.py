"""The texts of a run and of the people behind it: what agents wrote, and what their users wrote for real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from agents.corpus import Post, SplitUser
from metrics.content import content_frame
from metrics.posts import REPOST, own_words
from sim.cell import CellKey
from sim.measuring import exposures
from sim.opinion_cell import opinion_model
from sim.people import gather_again
from sim.platform_tables import read_tables
from sim.run_dir import CellDir, RunDir


class RealTexts(NamedTuple):
    """Posts of the users of one size; both frames have columns `author` (user id) and `text`, in time order."""

    train: pd.DataFrame
    held_out: pd.DataFrame


@dataclass(frozen=True)
class CellTexts:
    """What agents wrote from step 1 on.

    Args:
        key: of the cell.
        said: columns `author` (user id whom the agent plays), `owner` (user id on whose posts the agent's
            adapter was trained; missing for the bare base and for adapters of nobody or of everybody), `step`,
            `kind` (`post`, `quote`, `comment`; reposts have no words of their own), `text`; in order of steps.
        in_view: per row, the posts that its author was shown at that step.
    """

    key: CellKey
    said: pd.DataFrame
    in_view: Sequence[tuple[str, ...]]


def read_real(run: RunDir) -> dict[int, RealTexts]:
    """Real posts by population size, from the run's corpus.

    Raises:
        RunDirError: when the corpus is no longer the one that the run was made with.
        CorpusError: when it cannot be read.
    """
    people = gather_again(run)
    return {
        size: _real([people.splits[agent.user_id] for agent in population])
        for size, population in people.populations.items()
    }


def finished_cells(run: RunDir) -> list[CellDir]:
    """Cells that are done and in which somebody can write: agents of opinion models cannot."""
    return [cell for cell in run.cells() if cell.done and opinion_model(cell.key.condition) is None]


def read_cell(run: RunDir, cell: CellDir) -> CellTexts:
    """What the agents of a finished cell wrote.

    Raises:
        RunDirError: for missing or damaged files.
    """
    platform = read_tables(cell.database)
    said = content_frame(platform.posts, platform.comments)
    said = said[(said["step"] > 0) & (said["kind"] != REPOST)].sort_values("step", kind="stable")
    user = run.read_population(cell.key.size).set_index("agent_id")["user_id"]
    owner_of = {revision: owner for owner, revision in run.manifest["adapters"]["own"].items()}
    owner = {agent: owner_of.get(revision or "") for agent, revision in cell.read_bindings().items()}
    shown = exposures(cell.ledger.read(["step", "agent_id", "feed"]))
    frame = pd.DataFrame(
        {
            "author": said["user_id"].map(user).to_numpy(),
            "owner": said["user_id"].map(owner).to_numpy(dtype=object),
            "step": said["step"].to_numpy(),
            "kind": said["kind"].to_numpy(),
            "text": said["text"].to_numpy(),
        }
    )
    return CellTexts(cell.key, frame, _in_view(said, shown, own_words(platform.posts)))


def _in_view(said: pd.DataFrame, shown: pd.DataFrame, text: pd.Series[str]) -> list[tuple[str, ...]]:
    feeds: Mapping[Any, list[int]] = (
        shown.groupby(["step", "user_id"])["post_id"].agg(list).to_dict() if len(shown) else {}
    )
    moments = zip(said["step"], said["user_id"], strict=True)
    return [tuple(text[feeds.get((step, agent), [])]) for step, agent in moments]


def _real(splits: Sequence[SplitUser]) -> RealTexts:
    return RealTexts(
        _posts([(split.user.user_id, split.train) for split in splits]),
        _posts([(split.user.user_id, split.held_out) for split in splits]),
    )


def _posts(timelines: Sequence[tuple[str, Sequence[Post]]]) -> pd.DataFrame:
    rows = [(author, post.text) for author, posts in timelines for post in posts]
    return pd.DataFrame(rows, columns=["author", "text"], dtype=object)
