"""Every action's effect and outcome, held against the SQL rows; each known trap of OASIS."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.decision import Action, Decision
from sim.errors import PlatformError
from sim.oasis_driver import CALLS, OasisDriver
from sim.oasis_import import load_oasis
from sim.outcome import Outcome, OutcomeKind
from sim.platform import MAX_TEXT_CHARS, Account, Platform

ANA, BEN, CLEO, DAN = range(4)
USERS = [Account("ana", "Ana", "likes cheese"), Account("ben"), Account("cleo"), Account("dan")]
NOTHING = Decision(Action.DO_NOTHING)


@pytest.fixture
def platform() -> Iterator[Platform]:
    """Four users; post 1 is Ana's and post 2 Ben's; Ana follows Ben."""
    with Platform.open(":memory:", USERS) as made:
        made.seed_posts([(ANA, "cheese is good"), (BEN, "trains are late")])
        made.seed_follows([(ANA, BEN)])
        yield made


def like(post_id: int) -> Decision:
    return Decision(Action.LIKE_POST, post_id=post_id)


def repost(post_id: int) -> Decision:
    return Decision(Action.REPOST, post_id=post_id)


def quote(post_id: int, text: str) -> Decision:
    return Decision(Action.QUOTE_POST, post_id=post_id, content=text)


def comment(post_id: int, text: str) -> Decision:
    return Decision(Action.CREATE_COMMENT, post_id=post_id, content=text)


def post(text: str) -> Decision:
    return Decision(Action.CREATE_POST, content=text)


def follow(user_id: int) -> Decision:
    return Decision(Action.FOLLOW, followee_id=user_id)


def rows(platform: Platform, table: str) -> list[dict[str, object]]:
    return getattr(platform.tables(), table).to_dict("records")


def dump(platform: Platform) -> list[str]:
    return list(platform._db.iterdump())


def test_every_action_has_a_call_into_oasis() -> None:
    assert set(CALLS) == set(Action)


def test_users_are_signed_up_with_ids_from_zero(platform: Platform) -> None:
    users = platform.tables().users
    assert users.user_id.tolist() == [0, 1, 2, 3]
    assert users.iloc[0].tolist() == [0, "ana", "Ana", "likes cheese"]
    assert platform.n_users == 4


def test_seeds_are_of_step_zero(platform: Platform) -> None:
    tables = platform.tables()
    assert platform.step == 0
    assert tables.posts[["post_id", "user_id", "content", "created_at"]].to_numpy().tolist() == [
        [1, ANA, "cheese is good", 0],
        [2, BEN, "trains are late", 0],
    ]
    assert tables.follows.to_numpy().tolist() == [[ANA, BEN, 0]]


def test_a_post_becomes_a_row_of_its_step(platform: Platform) -> None:
    assert platform.apply(3, CLEO, post("hello")) == Outcome(OutcomeKind.DONE, row_id=3)
    made = rows(platform, "posts")[-1]
    assert (made["post_id"], made["user_id"], made["content"], made["created_at"]) == (3, CLEO, "hello", 3)
    assert platform.step == 3


def test_a_like_counts_once(platform: Platform) -> None:
    first, second = platform.apply_all(1, [(BEN, like(1)), (BEN, like(1))])
    assert first.ok and first.row_id == 1
    assert second.kind is OutcomeKind.ALREADY_LIKED and not second.ok
    assert rows(platform, "likes") == [{"user_id": BEN, "post_id": 1, "created_at": 1}]
    assert rows(platform, "posts")[0]["num_likes"] == 1


def test_a_dislike_counts_once_and_beside_a_like(platform: Platform) -> None:
    dislike = Decision(Action.DISLIKE_POST, post_id=1)
    outcomes = platform.apply_all(1, [(BEN, like(1)), (BEN, dislike), (BEN, dislike)])
    assert [o.kind for o in outcomes] == ["done", "done", "already_disliked"]
    assert rows(platform, "dislikes") == [{"user_id": BEN, "post_id": 1, "created_at": 1}]
    assert (rows(platform, "posts")[0]["num_likes"], rows(platform, "posts")[0]["num_dislikes"]) == (1, 1)


def test_a_comment_becomes_a_row(platform: Platform) -> None:
    assert platform.apply(2, BEN, comment(1, "so true")) == Outcome(OutcomeKind.DONE, row_id=1)
    assert rows(platform, "comments") == [
        {"comment_id": 1, "post_id": 1, "user_id": BEN, "content": "so true", "created_at": 2}
    ]


def test_the_same_comment_twice_in_a_step_makes_two_rows(platform: Platform) -> None:
    assert all(o.ok for o in platform.apply_all(1, [(BEN, comment(1, "so true"))] * 2))
    assert len(rows(platform, "comments")) == 2


def test_a_repost_points_to_its_original(platform: Platform) -> None:
    assert platform.apply(1, BEN, repost(1)) == Outcome(OutcomeKind.DONE, row_id=3)
    original, _, made = rows(platform, "posts")
    assert (made["original_post_id"], made["user_id"], made["created_at"]) == (1, BEN, 1)
    assert made["quote_content"] is None
    assert original["num_shares"] == 1


def test_a_repost_of_a_repost_is_one_of_the_original(platform: Platform) -> None:
    platform.apply(1, BEN, repost(1))
    assert platform.apply(1, CLEO, repost(3)).ok
    assert rows(platform, "posts")[-1]["original_post_id"] == 1
    assert rows(platform, "posts")[0]["num_shares"] == 2


def test_nobody_reposts_twice_not_even_by_way_of_a_repost(platform: Platform) -> None:
    platform.apply_all(1, [(BEN, repost(1)), (CLEO, repost(1))])
    outcomes = platform.apply_all(2, [(BEN, repost(1)), (BEN, repost(4))])
    assert [o.kind for o in outcomes] == [OutcomeKind.ALREADY_SHARED] * 2


def test_a_quote_keeps_both_texts_and_bars_a_repost(platform: Platform) -> None:
    """OASIS looks for any row of the user that points to the post."""
    quoted, reposted = platform.apply_all(1, [(BEN, quote(1, "I disagree")), (BEN, repost(1))])
    made = rows(platform, "posts")[-1]
    assert quoted.row_id == made["post_id"] == 3
    assert (made["original_post_id"], made["content"]) == (1, "cheese is good")
    assert made["quote_content"] == "I disagree"
    assert reposted.kind is OutcomeKind.ALREADY_SHARED


def test_a_quote_of_a_quote_quotes_the_original(platform: Platform) -> None:
    platform.apply_all(1, [(BEN, quote(1, "I disagree")), (CLEO, quote(3, "me too"))])
    made = rows(platform, "posts")[-1]
    assert (made["original_post_id"], made["content"], made["quote_content"]) == (
        1,
        "cheese is good",
        "me too",
    )


@pytest.mark.parametrize(
    ("decision", "table"),
    [
        (like(3), "likes"),
        (Decision(Action.DISLIKE_POST, post_id=3), "dislikes"),
        (comment(3, "so true"), "comments"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.action),
)
def test_marks_on_a_repost_go_to_the_original(platform: Platform, decision: Decision, table: str) -> None:
    platform.apply_all(1, [(BEN, repost(1)), (CLEO, decision)])
    assert [row["post_id"] for row in rows(platform, table)] == [1]


def test_a_like_of_the_repost_after_one_of_the_original_is_refused(platform: Platform) -> None:
    outcomes = platform.apply_all(1, [(BEN, repost(1)), (CLEO, like(1)), (CLEO, like(3))])
    assert outcomes[-1].kind is OutcomeKind.ALREADY_LIKED


def test_a_follow_becomes_a_row_once(platform: Platform) -> None:
    outcomes = platform.apply_all(4, [(CLEO, follow(ANA)), (CLEO, follow(ANA)), (ANA, follow(BEN))])
    assert [o.kind for o in outcomes] == ["done", "already_following", "already_following"]
    assert rows(platform, "follows")[-1] == {"follower_id": CLEO, "followee_id": ANA, "created_at": 4}


def test_nobody_follows_themselves(platform: Platform) -> None:
    assert platform.apply(1, ANA, follow(ANA)).kind is OutcomeKind.SELF_FOLLOW


@pytest.mark.parametrize("missing", [4, -1, 2**70])
def test_nobody_follows_whom_there_is_not(platform: Platform, missing: int) -> None:
    assert platform.apply(1, ANA, follow(missing)) == Outcome(
        OutcomeKind.MISSING_TARGET, f"there is no user {missing}"
    )


@pytest.mark.parametrize("missing", [0, -1, 99, 2**70])
@pytest.mark.parametrize("make", [like, repost, lambda p: quote(p, "x"), lambda p: comment(p, "x")])
def test_posts_that_do_not_exist_are_no_targets(platform: Platform, make, missing: int) -> None:
    before = dump(platform)
    assert platform.apply(1, ANA, make(missing)).kind is OutcomeKind.MISSING_TARGET
    assert dump(platform) == before


def test_doing_nothing_twice_in_a_step_is_a_duplicate_and_in_two_steps_is_not(platform: Platform) -> None:
    """The trace's primary key is user, step, action and details."""
    outcomes = platform.apply_all(1, [(ANA, NOTHING), (ANA, NOTHING), (BEN, NOTHING)])
    assert [o.kind for o in outcomes] == ["done", "duplicate", "done"]
    assert platform.apply(2, ANA, NOTHING).ok


def test_an_action_whose_trace_cannot_be_written_leaves_nothing(platform: Platform) -> None:
    """OASIS writes the post first and its trace last: without a savepoint the post would stay."""
    platform._db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON trace WHEN new.action = 'create_post'"
        " BEGIN SELECT raise(ABORT, 'UNIQUE constraint failed: trace.user_id'); END"
    )
    before = dump(platform)
    assert platform.apply(1, ANA, post("half")).kind is OutcomeKind.DUPLICATE
    assert dump(platform) == before


def test_a_failure_inside_oasis_is_an_outcome_with_its_words(platform: Platform) -> None:
    platform._db.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON \"like\" BEGIN SELECT raise(ABORT, 'disk on fire'); END"
    )
    assert platform.apply(1, BEN, like(1)) == Outcome(OutcomeKind.PLATFORM_ERROR, "disk on fire")
    assert rows(platform, "posts")[0]["num_likes"] == 0


def test_an_exception_out_of_oasis_undoes_the_step_and_says_where(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(agent_id: int, post_id: int) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(platform._oasis._oasis, "like_post", explode)
    before = dump(platform)
    with pytest.raises(PlatformError, match="step 7, user 2, like_post: RuntimeError: no such luck"):
        platform.apply_all(7, [(ANA, post("gone")), (CLEO, like(1))])
    assert dump(platform) == before
    assert platform.step == 0


def test_an_action_that_waits_is_refused_loudly(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(agent_id: int) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(platform._oasis._oasis, "do_nothing", wait)
    with pytest.raises(PlatformError, match="OASIS waits inside an action"):
        platform.apply(1, ANA, NOTHING)


@pytest.mark.parametrize("actor", [-1, 4])
def test_unknown_actors_are_the_callers_error(platform: Platform, actor: int) -> None:
    with pytest.raises(
        PlatformError, match=f"step 1, user {actor}, create_post: no such user; ids are 0 to 3"
    ):
        platform.apply(1, actor, post("hello"))


def test_time_never_runs_back(platform: Platform) -> None:
    platform.apply_all(5, [])
    with pytest.raises(PlatformError, match="step 4: lies behind; step 5"):
        platform.apply_all(4, [])


def test_ids_may_be_numpy_integers(platform: Platform) -> None:
    """SQLite would store them as bytes."""
    one = np.int64(1)
    decisions = [
        (one, Decision(Action.QUOTE_POST, post_id=one, content="x")),
        (np.int64(2), Decision(Action.FOLLOW, followee_id=one)),
    ]
    assert all(o.ok for o in platform.apply_all(1, decisions))
    assert rows(platform, "posts")[-1]["user_id"] == 1
    assert platform.feed_entries(one, [one])[0].reposted


TEXTS = [
    "'); DROP TABLE post; --",
    "\"quoted\" and 'quoted' and `quoted`",
    "%s ? :name @p1 $1 {0}",
    "👩‍👩‍👧‍👦 🏳️‍🌈 한국어 עברית",
    "a\nb\r\n\tc\u2028d",
    "\\x00 \\u0000 \\",
    "x" * MAX_TEXT_CHARS,
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_texts_come_back_as_they_were(platform: Platform, text: str) -> None:
    decisions = [(ANA, post(text)), (BEN, quote(1, text)), (CLEO, comment(1, text))]
    assert all(o.ok for o in platform.apply_all(1, decisions))
    tables = platform.tables()
    assert tables.posts.content.iloc[2] == text
    assert tables.posts.quote_content.iloc[3] == text
    assert tables.comments.content.iloc[0] == text
    restored = sqlite3.connect(":memory:")
    restored.executescript("\n".join(platform._db.iterdump()))
    assert restored.execute("SELECT content FROM comment").fetchone() == (text,)
    restored.close()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the text is empty"),
        (" \n\u3000", "the text is empty"),
        ("x" * (MAX_TEXT_CHARS + 1), "the text has 40001 characters; expected at most 40000"),
        ("a\x00b", "the text holds a NUL character"),
        ("\ud83d", "the text holds half a surrogate pair"),
    ],
    ids=["empty", "blank", "long", "nul", "surrogate"],
)
def test_texts_that_sqlite_would_mangle_are_refused(platform: Platform, text: str, fault: str) -> None:
    refused = Outcome(OutcomeKind.INVALID_TEXT, fault)
    decisions = [(ANA, post(text)), (ANA, quote(2, text)), (ANA, comment(2, text))]
    assert platform.apply_all(0, decisions) == [refused] * 3
    assert len(rows(platform, "posts")) == 2
    with pytest.raises(PlatformError, match=f"user 0: .*invalid_text: {fault}"):
        platform.seed_posts([(ANA, text)])


@pytest.mark.parametrize(
    ("edges", "reason"),
    [
        ([(CLEO, DAN), (CLEO, DAN)], "already_following"),
        ([(CLEO, DAN), (CLEO, CLEO)], "self_follow"),
        ([(CLEO, DAN), (CLEO, 9)], "missing_target"),
    ],
)
def test_a_bad_follow_graph_is_refused_whole(
    platform: Platform, edges: list[tuple[int, int]], reason: str
) -> None:
    before = dump(platform)
    with pytest.raises(PlatformError, match=f"seeding: user 2: .*{reason}"):
        platform.seed_follows(edges)
    assert dump(platform) == before


def test_seeding_ends_with_the_first_step(platform: Platform) -> None:
    platform.apply_all(1, [])
    with pytest.raises(PlatformError, match="seed before the first step"):
        platform.seed_posts([(ANA, "late")])


@pytest.mark.parametrize(
    ("users", "complaint"),
    [
        ([], "got none; expected at least one"),
        ([Account("ana"), Account("ana")], r"users\[1\].user_name: 'ana' is taken by users\[0\]"),
        ([Account("ana ben")], r"users\[0\].user_name: got 'ana ben'; expected letters"),
        ([Account("")], r"users\[0\].user_name: got ''"),
        ([Account("ana", bio="\ud83d")], r"users\[0\].bio: the text holds half a surrogate pair"),
    ],
)
def test_users_that_cannot_be_are_named(users: list[Account], complaint: str) -> None:
    with pytest.raises(PlatformError, match=complaint):
        Platform.open(":memory:", users)


def test_a_platform_on_disk_is_readable_while_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "platform.db"
    with Platform.open(file, USERS) as platform:
        platform.apply(1, ANA, post("hello"))
        other = sqlite3.connect(file)
        assert other.execute("SELECT content FROM post").fetchall() == [("hello",)]
        other.close()


def test_existing_files_are_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "platform.db"
    file.write_text("mine")
    with pytest.raises(PlatformError, match=r"platform.db: exists already"):
        Platform.open(file, USERS)
    assert file.read_text() == "mine"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"cannot be made \(unable to open"):
        Platform.open(tmp_path / "nowhere" / "platform.db", USERS)


def test_a_database_without_tables_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OASIS only prints that it could not make its tables."""
    database = load_oasis().social_platform.database
    (tmp_path / database.USER_SCHEMA_SQL).write_text("CREATE TABEL user")
    monkeypatch.setattr(database, "get_schema_dir_path", lambda: str(tmp_path))
    with pytest.raises(PlatformError, match=r"(?s)OASIS made no tables .*said: .*An error occurred"):
        OasisDriver(":memory:")


def test_closing_twice_is_fine() -> None:
    platform = Platform.open(":memory:", USERS)
    platform.close()
    platform.close()
