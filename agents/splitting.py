"""Timelines cut in time: earlier posts train, later ones are held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agents.corpus import Corpus, SplitUser
from agents.errors import CorpusError
from agents.exclusions import Exclusions, Reason
from agents.near_duplicates import copies


@dataclass(frozen=True)
class CorpusSplit:
    """Users whose timelines are long enough, in the order of their ids, and what the cut left out."""

    users: tuple[SplitUser, ...]
    excluded: Mapping[str, int]
    warnings: tuple[str, ...]

    def __iter__(self) -> Iterator[SplitUser]:
        return iter(self.users)

    def __len__(self) -> int:
        return len(self.users)


def split_corpus(corpus: Corpus, train_posts: int = 80, min_held_out: int = 5) -> CorpusSplit:
    """Cut every timeline after its first `train_posts` posts.

    A later post that copies, or nearly copies, one of the user's own training posts leaves the held-out
    part and is counted (`near_duplicate_held_out`): recognising it would show memory, not individuality.

    Args:
        corpus: users with posts in time order.
        train_posts: K, at least 1.
        min_held_out: users with fewer held-out posts are left out and counted (`too_few_posts`), at least 0.

    Raises:
        CorpusError: when no user has enough posts.
    """
    if train_posts < 1 or min_held_out < 0:
        raise ValueError(
            f"train_posts, min_held_out: got {train_posts}, {min_held_out}; expected at least 1 and 0"
        )
    excluded = Exclusions()
    users = []
    for user in corpus:
        train, later = user.posts[:train_posts], user.posts[train_posts:]
        copied = copies([p.text for p in later], (p.text for p in train))
        held_out = tuple(post for post, copy in zip(later, copied, strict=True) if not copy)
        if len(train) < train_posts or len(held_out) < min_held_out:
            counts = f"{len(train)} of {train_posts} to train, {len(held_out)} of {min_held_out} held out"
            excluded.add(Reason.TOO_FEW_POSTS, f"user {user.user_id!r} has {counts}")
            continue
        for post in (post for post, copy in zip(later, copied, strict=True) if copy):
            excluded.add(Reason.NEAR_DUPLICATE_HELD_OUT, f"user {user.user_id!r}, {post.time}")
        users.append(SplitUser(user, train, held_out))
    if not users:
        most = max((len(user.posts) for user in corpus), default=0)
        raise CorpusError(
            f"{corpus.name}: no user has {train_posts} posts to train on and {min_held_out} held out; "
            f"the longest timeline has {most} posts. Lower train_posts or held_out_posts."
        )
    return CorpusSplit(tuple(users), excluded.counts, excluded.lines)
