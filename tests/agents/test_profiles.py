import pytest

from agents.corpus import Corpus, Post, User
from agents.profiles import Quantiles, summarise
from tests.agents.people import user


def test_a_summary_counts_users_sides_posts_and_time() -> None:
    people = (
        User("ana", "left", "", (Post("2016-01-02", "abcd"),)),
        User("bob", "right", "", (Post("2016-01-01", "ab"), Post("2016-01-03", "abc"))),
        User("cid", None, "", (Post("2016-01-02", "a"),)),
    )
    summary = summarise(Corpus("town", people, {"bad_time": 2}, ("bad_time: …",)))
    assert (summary.name, summary.users, summary.posts) == ("town", 3, 4)
    assert summary.users_per_side == {"": 1, "left": 1, "right": 1}
    # lengths 1, 2, 3, 4: quartiles at ranks 0.75, 1.5, 2.25 between them
    assert summary.characters_per_post == Quantiles(1, 1.75, 2.5, 3.25, 4)
    # counts 1, 1, 2: quartiles at ranks 0.5, 1, 1.5
    assert summary.posts_per_user == Quantiles(1, 1, 1, 1.5, 2)
    assert (summary.first, summary.last) == ("2016-01-01", "2016-01-03")
    assert (summary.excluded, summary.warnings) == ({"bad_time": 2}, ("bad_time: …",))
    assert summary.digest == Corpus("other name", people).digest


def test_a_corpus_without_posts_is_refused() -> None:
    with pytest.raises(ValueError, match="town: no posts"):
        summarise(Corpus("town", (user("ana", posts=0),)))
