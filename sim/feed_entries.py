"""What a reader sees of posts: one line each, with the reader's own marks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from agents.decision import FeedEntry
from agents.text import clean_text
from sim.errors import PlatformError

_ENTRIES = """
SELECT asked.value, post.post_id, post.user_id, author.user_name, post.content, post.num_likes,
       post.quote_content, quoted_author.user_name,
       EXISTS (SELECT 1 FROM "like" AS mark WHERE mark.post_id = post.post_id AND mark.user_id = :reader),
       EXISTS (SELECT 1 FROM dislike AS mark WHERE mark.post_id = post.post_id AND mark.user_id = :reader),
       EXISTS (SELECT 1 FROM post AS own WHERE own.original_post_id = post.post_id AND own.user_id = :reader),
       EXISTS (SELECT 1 FROM follow WHERE follower_id = :reader AND followee_id = post.user_id)
FROM json_each(:ids) AS asked
JOIN post AS row ON row.post_id = asked.value
JOIN post ON post.post_id = iif(row.quote_content IS NULL,
                                coalesce(row.original_post_id, row.post_id), row.post_id)
JOIN user AS author ON author.user_id = post.user_id
LEFT JOIN post AS quoted ON quoted.post_id = post.original_post_id
LEFT JOIN user AS quoted_author ON quoted_author.user_id = quoted.user_id
ORDER BY asked.key
"""


def read_feed_entries(
    database: sqlite3.Connection, reader_id: int, post_ids: Sequence[int]
) -> tuple[FeedEntry, ...]:
    """The posts as the reader meets them, in the order of `post_ids`.

    A repost is shown as its original, and what occurs twice is shown once. A quote shows the quoter's words,
    `RT @handle:`, and the quoted text. `reposted` is set after a repost or a quote: both bar a repost.

    Raises:
        PlatformError: for a post that does not exist.
    """
    asked = [int(p) for p in post_ids]
    rows = database.execute(_ENTRIES, {"reader": int(reader_id), "ids": json.dumps(asked)}).fetchall()
    missing = set(asked) - {row[0] for row in rows}
    if missing:
        raise PlatformError(f"feed of user {reader_id}: there are no posts {sorted(missing)}")
    entries: dict[int, FeedEntry] = {}
    for _, post_id, author_id, handle, content, likes, quote, quoted_handle, *marks in rows:
        text = content if quote is None else f"{clean_text(quote)} RT @{quoted_handle}: {clean_text(content)}"
        entries.setdefault(post_id, FeedEntry(post_id, author_id, handle, text, likes, *map(bool, marks)))
    return tuple(entries.values())
