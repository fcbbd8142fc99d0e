import pytest

from agents.corpus import Corpus, Post, User
from agents.errors import CorpusError
from agents.splitting import split_corpus
from tests.agents.people import user


def corpus(*users: User) -> Corpus:
    return Corpus("test", users)


def test_the_earlier_posts_train_and_the_later_are_held_out() -> None:
    (split,) = split_corpus(corpus(user("ana", posts=5)), train_posts=3, min_held_out=2)
    assert split.train == split.user.posts[:3]
    assert split.held_out == split.user.posts[3:]


def test_users_with_too_few_posts_are_counted() -> None:
    split = split_corpus(corpus(user("ana", posts=5), user("bob", posts=4), user("cid", posts=1)), 3, 2)
    assert [s.user.user_id for s in split] == ["ana"]
    assert len(split) == 1
    assert split.excluded == {"too_few_posts": 2}
    assert "'bob' has 3 of 3 to train, 1 of 2 held out" in split.warnings[0]


def test_held_out_posts_that_copy_training_posts_are_left_out_and_counted() -> None:
    said = [
        "good morning dear town of ours",
        "nothing new",
        "Good morning, dear town of ours!",
        "a fresh thought",
    ]
    posts = tuple(Post(f"2016-01-0{n}", text) for n, text in enumerate(said, 1))
    split = split_corpus(corpus(User("ana", None, "", posts)), train_posts=2, min_held_out=1)
    assert [p.text for p in split.users[0].held_out] == ["a fresh thought"]
    assert split.excluded == {"near_duplicate_held_out": 1}
    assert "2016-01-03" in split.warnings[0]


def test_copies_do_not_count_towards_the_held_out_posts() -> None:
    posts = tuple(
        Post(f"2016-01-0{n}", text) for n, text in enumerate(("same words here", "same words here!"), 1)
    )
    with pytest.raises(CorpusError, match="no user has 1 posts to train on and 1 held out; the longest"):
        split_corpus(corpus(User("ana", None, "", posts)), train_posts=1, min_held_out=1)


def test_held_out_posts_may_be_waived() -> None:
    assert split_corpus(corpus(user("ana", posts=3)), 3, 0).users[0].held_out == ()


@pytest.mark.parametrize(("train_posts", "min_held_out"), [(0, 1), (1, -1)])
def test_counts_out_of_range_are_refused(train_posts: int, min_held_out: int) -> None:
    with pytest.raises(ValueError, match="train_posts, min_held_out"):
        split_corpus(corpus(user("ana")), train_posts, min_held_out)
