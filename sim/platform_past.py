"""A platform's database as it stood before a step: the same tables, without what came later."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sim.platform_tables import open_database

# Temporary views go before tables of the same name, so whatever reads the tables reads the past.
_VIEWS = (
    'CREATE TEMP VIEW "like" AS SELECT rowid, * FROM main."like" WHERE created_at < {step}',
    "CREATE TEMP VIEW dislike AS SELECT rowid, * FROM main.dislike WHERE created_at < {step}",
    "CREATE TEMP VIEW comment AS SELECT rowid, * FROM main.comment WHERE created_at < {step}",
    "CREATE TEMP VIEW follow AS SELECT rowid, * FROM main.follow WHERE created_at < {step}",
    """
    CREATE TEMP VIEW post AS SELECT
        rowid, post_id, user_id, original_post_id, content, quote_content, created_at,
        (SELECT count(*) FROM main."like" AS mark
         WHERE mark.post_id = row.post_id AND mark.created_at < {step}) AS num_likes,
        (SELECT count(*) FROM main.dislike AS mark
         WHERE mark.post_id = row.post_id AND mark.created_at < {step}) AS num_dislikes,
        (SELECT count(*) FROM main.post AS share
         WHERE share.original_post_id = row.post_id AND share.created_at < {step}) AS num_shares
    FROM main.post AS row WHERE created_at < {step}
    """,
)


@contextmanager
def open_database_before(path: Path | str, step: int) -> Iterator[sqlite3.Connection]:
    """Open a platform's database file as agents found it when they acted at a step.

    Args:
        path: of `platform.db`; opened for reading only.
        step: what happened at it and later is not there; 0 leaves the users alone, 1 adds the seeds.

    Raises:
        RunDirError: as `open_database`.
    """
    with open_database(path) as database:
        for view in _VIEWS:
            database.execute(view.format(step=int(step)))
        yield database
