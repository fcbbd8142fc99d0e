"""The platform: OASIS's schema and actions, in the caller's order, one transaction a step.

A step takes effect as a whole or not at all, and so does each action in it. OASIS would let users follow
themselves or nobody, and stumbles over posts that do not exist: targets are checked before it is called.
Two of its rules are kept: whoever has quoted a post cannot repost it; and a quote of a quote quotes the
original. Marks and comments on a repost go to its original.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

import numpy as np

from agents.decision import WRITES_CONTENT, Action, Decision, FeedEntry
from sim.atomic import write_atomic
from sim.errors import PlatformError
from sim.feed_entries import read_feed_entries
from sim.feed_state import FeedState, read_feed_state
from sim.feeds import FeedPolicy
from sim.oasis_driver import OasisDriver
from sim.outcome import Outcome, OutcomeKind
from sim.platform_tables import PlatformTables, frames, open_database

MAX_TEXT_CHARS = 40_000
"""Longest text that the platform takes: Reddit's own limit."""

_HANDLE = re.compile(r"[A-Za-z0-9_]+")
_MAX_ROW_ID = 2**63 - 1
_ROOT = """
SELECT iif(quote_content IS NULL, coalesce(original_post_id, post_id), post_id) FROM post WHERE post_id = ?
"""


class Account(NamedTuple):
    """A user as the platform knows them. `user_name` is the handle: letters, digits and underscores."""

    user_name: str
    name: str = ""
    bio: str = ""


class Platform:
    """One population's platform. Made by `open` or `restore`; `close` it, or use it in a `with` statement.

    User ids are 0 to N-1. Time is the step: 0 while seeding, then whatever `apply_all` is given.
    """

    def __init__(self, driver: OasisDriver, n_users: int) -> None:
        self._oasis = driver
        self._db = driver.database
        self.n_users = n_users

    @classmethod
    def open(cls, db_path: Path | Literal[":memory:"], users: Sequence[Account]) -> Self:
        """Make a new platform and sign up its users; their ids are their places in `users`.

        Args:
            db_path: a file that does not exist yet, or `":memory:"` (fastest; see `snapshot`).
            users: at least one, each with a handle of their own.

        Raises:
            PlatformError: for an existing file, or users that cannot be signed up.
        """
        _check_accounts(users)
        platform = cls(OasisDriver(db_path), len(users))
        try:
            platform._sign_up(users)
        except BaseException:
            platform.close()
            raise
        return platform

    @classmethod
    def restore(cls, path: Path | str) -> Self:
        """Continue, in memory, from a snapshot; what follows equals an uninterrupted run.

        Raises:
            RunDirError: when the file is missing or damaged.
        """
        driver = OasisDriver(":memory:")
        try:
            with open_database(path) as file:
                frames(file)  # reads every row, so that damage shows now
                file.backup(driver.database)
            driver.step = driver.database.execute("PRAGMA user_version").fetchone()[0]
            return cls(driver, driver.database.execute("SELECT count(*) FROM user").fetchone()[0])
        except BaseException:
            driver.database.close()
            raise

    def snapshot(self, path: Path) -> None:
        """Write the whole database to `path`, atomically, with the finished step as its `user_version`."""
        self._db.execute(f"PRAGMA user_version = {self.step}")
        write_atomic(path, self._copy)

    def close(self) -> None:
        """Give the database back; calling it again does nothing."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def step(self) -> int:
        """The step that was applied last; 0 while seeding."""
        return self._oasis.step

    def seed_follows(self, edges: Iterable[tuple[int, int]]) -> None:
        """Add the follow graph of the start: (follower, followee), each pair once.

        Raises:
            PlatformError: after the first step, or for an edge that cannot be; then none is added.
        """
        self._seed(
            [(follower, Decision(Action.FOLLOW, followee_id=followee)) for follower, followee in edges]
        )

    def seed_posts(self, posts: Iterable[tuple[int, str]]) -> list[int]:
        """Publish the posts of the start: (author, text).

        Returns:
            Their post ids.

        Raises:
            PlatformError: after the first step, or for a post that cannot be; then none is published.
        """
        return self._seed([(author, Decision(Action.CREATE_POST, content=text)) for author, text in posts])

    def apply(self, step: int, actor_id: int, decision: Decision) -> Outcome:
        """Apply one decision: `apply_all` of one."""
        return self.apply_all(step, [(actor_id, decision)])[0]

    def apply_all(self, step: int, decisions: Sequence[tuple[int, Decision]]) -> list[Outcome]:
        """Apply a step's decisions in the order given.

        Args:
            step: of this platform's time, never before the last one.
            decisions: (actor, decision); none at all makes a step in which nothing happens.

        Returns:
            One outcome for each decision, in the same order. A refused decision has left no trace.

        Raises:
            PlatformError: for a step that lies behind, an unknown actor, or an exception out of OASIS.
                Then the whole step has left no trace.
        """
        if step < self.step:
            raise PlatformError(f"step {step}: lies behind; step {self.step} was applied already")
        with self._transaction(step):
            return [self._apply(step, index(actor), decision) for actor, decision in decisions]

    def feeds(
        self, policy: FeedPolicy, readers: Sequence[int], rng: np.random.Generator
    ) -> list[tuple[FeedEntry, ...]]:
        """Each reader's feed as the platform stands now; to be called before the step's `apply_all`."""
        ranked = policy.rank(self.feed_state(policy.window), readers, rng)
        return [self.feed_entries(reader, posts) for reader, posts in zip(readers, ranked, strict=True)]

    def feed_state(self, window: int) -> FeedState:
        """What the next step's feeds are computed from.

        Args:
            window: in steps; posts neither written nor reposted in the last so many are no candidates.
        """
        return read_feed_state(self._db, n_users=self.n_users, after=self.step - window)

    def feed_entries(self, reader_id: int, post_ids: Sequence[int]) -> tuple[FeedEntry, ...]:
        """Posts as their reader meets them; see `read_feed_entries`."""
        return read_feed_entries(self._db, reader_id, post_ids)

    def tables(self) -> PlatformTables:
        """Everything on the platform, as DataFrames."""
        return frames(self._db)

    def _sign_up(self, users: Sequence[Account]) -> None:
        with self._transaction(0):
            for user_id, user in enumerate(users):
                outcome = self._oasis.sign_up(user_id, *user)
                if not outcome.ok:
                    raise PlatformError(f"users[{user_id}]: {outcome.kind}: {outcome.detail}")

    def _copy(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as file:
            self._db.backup(file)

    def _seed(self, decisions: list[tuple[int, Decision]]) -> list[int]:
        if self.step:
            raise PlatformError(f"seeding: step {self.step} was applied already; seed before the first step")
        row_ids = []
        with self._transaction(0):
            for actor, decision in decisions:
                outcome = self._apply(0, index(actor), decision)
                if outcome.row_id is None:
                    raise PlatformError(
                        f"seeding: user {actor}: {decision}: {outcome.kind}: {outcome.detail}"
                    )
                row_ids.append(outcome.row_id)
        return row_ids

    @contextmanager
    def _transaction(self, step: int) -> Iterator[None]:
        before = self.step
        self._db.execute("BEGIN")
        try:
            self._oasis.step = step
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._oasis.step = before
            raise
        self._db.execute("COMMIT")

    def _apply(self, step: int, actor: int, decision: Decision) -> Outcome:
        where = f"step {step}, user {actor}, {decision.action}"
        if not 0 <= actor < self.n_users:
            raise PlatformError(f"{where}: no such user; ids are 0 to {self.n_users - 1}")
        target = self._target(actor, decision)
        if isinstance(target, Outcome):
            return target
        if decision.action in WRITES_CONTENT and (fault := _text_fault(decision.content or "")):
            return Outcome(OutcomeKind.INVALID_TEXT, fault)
        self._db.execute("SAVEPOINT act")
        try:
            outcome = self._oasis.act(decision.action, actor, target, decision.content)
        except Exception as error:
            raise PlatformError(f"{where}: {type(error).__name__}: {error}") from error
        if not outcome.ok:
            self._db.execute("ROLLBACK TO act")
        self._db.execute("RELEASE act")
        return outcome

    def _target(self, actor: int, decision: Decision) -> int | Outcome | None:
        """The post or user that the decision is about, None where it needs none, or why there is none."""
        if decision.followee_id is not None:
            followee = index(decision.followee_id)
            if followee == actor:
                return Outcome(OutcomeKind.SELF_FOLLOW, "nobody follows themselves")
            if not 0 <= followee < self.n_users:
                return Outcome(OutcomeKind.MISSING_TARGET, f"there is no user {followee}")
            return followee
        if decision.post_id is not None:
            post_id = index(decision.post_id)
            row = self._db.execute(_ROOT, (post_id,)).fetchone() if 0 < post_id <= _MAX_ROW_ID else None
            if row is None:
                return Outcome(OutcomeKind.MISSING_TARGET, f"there is no post {post_id}")
            return int(row[0])
        return None


def _check_accounts(users: Sequence[Account]) -> None:
    if not users:
        raise PlatformError("users: got none; expected at least one")
    seen: dict[str, int] = {}
    for user_id, user in enumerate(users):
        if not _HANDLE.fullmatch(user.user_name):
            raise PlatformError(
                f"users[{user_id}].user_name: got {user.user_name!r}; expected letters, digits, underscores"
            )
        if (first := seen.setdefault(user.user_name, user_id)) != user_id:
            raise PlatformError(f"users[{user_id}].user_name: {user.user_name!r} is taken by users[{first}]")
        for field, text in (("name", user.name), ("bio", user.bio)):
            if text and (fault := _text_fault(text)):
                raise PlatformError(f"users[{user_id}].{field}: {fault}")


def _text_fault(text: str) -> str | None:
    """Why the platform cannot keep a text; None for a good one."""
    if not text.strip():
        return "the text is empty"
    if len(text) > MAX_TEXT_CHARS:
        return f"the text has {len(text)} characters; expected at most {MAX_TEXT_CHARS}"
    if "\x00" in text:
        return "the text holds a NUL character"
    if any("\ud800" <= c <= "\udfff" for c in text):
        return "the text holds half a surrogate pair"
    return None
