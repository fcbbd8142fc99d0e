"""A community as files: what can be observed, in the formats that corpora have, and the truth beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from agents.synthetic.community import Community
from agents.synthetic.curriculum import interaction_prompt, interaction_reply


def write_community(community: Community, folder: Path) -> None:
    """Write `timelines.jsonl`, `interactions.jsonl` and `truth.csv` into `folder`, which is created.

    | file | one line is |
    | --- | --- |
    | timelines.jsonl | a post: user, text, time, side, profile, activity; `agents.loading` reads it |
    | interactions.jsonl | a decision: user, messages of the prompt, reply, and the feed and decision as data |
    | truth.csv | a user: stance, topic weights, style habits, action habits |
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(
        folder / "timelines.jsonl",
        (
            {
                "user": user.user_id,
                "text": post.text,
                "time": post.time,
                "side": user.side,
                "profile": user.profile,
                "activity": user.activity,
            }
            for user in community.corpus
            for post in user.posts
        ),
    )
    by_id = {u.user_id: u for u in community.corpus}
    _write_lines(
        folder / "interactions.jsonl",
        (
            {
                "user": interaction.reader,
                "messages": [asdict(m) for m in interaction_prompt(interaction, by_id[interaction.reader])],
                "reply": interaction_reply(interaction),
                "feed": [asdict(entry) for entry in interaction.feed],
                "decision": asdict(interaction.decision),
            }
            for interaction in community.interactions
        ),
    )
    community.truth.to_csv(folder / "truth.csv", index=False, lineterminator="\n")


def _write_lines(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
