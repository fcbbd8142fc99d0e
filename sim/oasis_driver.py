"""One OASIS platform, its actions called one by one, its commits held back, its answers read as outcomes.

OASIS's own way (a channel, concurrent agents) is not reproducible and hides failures. Its action methods
never wait for anything, so they run here without an event loop. It commits after every statement; those
commits are held back, so that the caller can undo an action that failed half-way. Its tables have no indices,
so that every like scans all likes; here they have them.
"""

from __future__ import annotations

import contextlib
import io
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from agents.decision import Action
from sim.errors import PlatformError
from sim.oasis_import import load_oasis
from sim.outcome import Outcome, OutcomeKind

_Answer = dict[str, Any]
_Call = Callable[[Any, int, int | None, str | None], Coroutine[Any, Any, _Answer]]
CALLS: Mapping[Action, _Call] = {
    Action.CREATE_POST: lambda oasis, actor, _, text: oasis.create_post(actor, text),
    Action.CREATE_COMMENT: lambda oasis, actor, target, text: oasis.create_comment(actor, (target, text)),
    Action.LIKE_POST: lambda oasis, actor, target, _: oasis.like_post(actor, target),
    Action.DISLIKE_POST: lambda oasis, actor, target, _: oasis.dislike_post(actor, target),
    Action.REPOST: lambda oasis, actor, target, _: oasis.repost(actor, target),
    Action.QUOTE_POST: lambda oasis, actor, target, text: oasis.quote_post(actor, (target, text)),
    Action.FOLLOW: lambda oasis, actor, target, _: oasis.follow(actor, target),
    Action.DO_NOTHING: lambda oasis, actor, _, __: oasis.do_nothing(actor),
}
_INDICES = (
    'CREATE INDEX likes_of ON "like" (post_id, user_id)',
    "CREATE INDEX dislikes_of ON dislike (post_id, user_id)",
    "CREATE INDEX shares_of ON post (original_post_id, user_id)",
    "CREATE INDEX posts_at ON post (created_at)",
    "CREATE INDEX follows_of ON follow (follower_id, followee_id)",
)
_REFUSALS = {
    "Like record already exists.": OutcomeKind.ALREADY_LIKED,
    "Dislike record already exists.": OutcomeKind.ALREADY_DISLIKED,
    "Repost record already exists.": OutcomeKind.ALREADY_SHARED,
    "Follow record already exists.": OutcomeKind.ALREADY_FOLLOWING,
    "Post not found.": OutcomeKind.MISSING_TARGET,
}
_TRACE_IS_TAKEN = "UNIQUE constraint failed: trace."
_ROW_IDS = ("post_id", "comment_id", "like_id", "dislike_id", "follow_id")


class _HeldCommits:
    """Stands where OASIS commits after every statement."""

    def commit(self) -> None:
        """Do not commit."""


class OasisDriver:
    """An OASIS platform with a new, empty database.

    Args:
        db_path: a file that does not exist yet, or `":memory:"`.

    Raises:
        PlatformError: when the database cannot be made.
    """

    def __init__(self, db_path: Path | str) -> None:
        if db_path != ":memory:" and Path(db_path).exists():
            raise PlatformError(f"{db_path}: exists already; expected the name of a new file")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            try:
                # Of the recommender no use is made; with `random`, OASIS's clock counts steps.
                self._oasis = load_oasis().Platform(str(db_path), recsys_type="random")
            except sqlite3.Error as error:
                raise PlatformError(f"{db_path}: cannot be made ({error})") from error
        self.database: sqlite3.Connection = self._oasis.db
        self.database.isolation_level = None
        self._oasis.pl_utils.db = _HeldCommits()
        try:
            for index in _INDICES:
                self.database.execute(index)
        except sqlite3.Error as error:
            self.database.close()
            words = said.getvalue().strip()
            raise PlatformError(f"{db_path}: OASIS made no tables ({error}); it said: {words}") from error

    @property
    def step(self) -> int:
        """OASIS's clock."""
        return int(self._oasis.sandbox_clock.time_step)

    @step.setter
    def step(self, step: int) -> None:
        self._oasis.sandbox_clock.time_step = step

    def sign_up(self, user_id: int, user_name: str, name: str, bio: str) -> Outcome:
        """Add a user."""
        return _read(_run(self._oasis.sign_up(user_id, (user_name, name, bio))))

    def act(self, action: Action, actor: int, target: int | None, text: str | None) -> Outcome:
        """Let a user act. Writes may be left over when the outcome is not `done`: the caller undoes them.

        Raises:
            Exception: whatever escapes from OASIS.
        """
        return _read(_run(CALLS[action](self._oasis, actor, target, text)))


def _run(action: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine that never waits to its end."""
    try:
        action.send(None)
    except StopIteration as end:
        answer: _Answer = end.value
        return answer
    action.close()
    raise PlatformError("OASIS waits inside an action; this version of camel-oasis cannot be driven directly")


def _read(answer: _Answer) -> Outcome:
    if answer["success"]:
        return Outcome(OutcomeKind.DONE, row_id=next((answer[k] for k in _ROW_IDS if k in answer), None))
    words = str(answer["error"])
    if words.startswith(_TRACE_IS_TAKEN):
        return Outcome(OutcomeKind.DUPLICATE, "the user has done the same at this step already")
    return Outcome(_REFUSALS.get(words, OutcomeKind.PLATFORM_ERROR), words)
