import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.columns import Columns
from agents.corpus import Post, User
from agents.errors import CorpusError
from agents.exclusions import Reason
from agents.loading import load_corpus
from tests.agents.strategies import texts

ROWS: list[dict[str, object]] = [
    {"user_id": "bob", "side": "right", "time": "2016-01-02T00:00:00Z", "text": "later"},
    {"user_id": "ana", "side": "left", "time": "2016-01-01T00:00:00Z", "text": 'she said "no",\nthen ä'},
    {"user_id": "bob", "side": "right", "time": "2016-01-01 00:00:00", "text": "earlier"},
]
EXPECTED = (
    User("ana", "left", "", (Post("2016-01-01T00:00:00.000000Z", 'she said "no",\nthen ä'),)),
    User(
        "bob",
        "right",
        "",
        (Post("2016-01-01T00:00:00.000000Z", "earlier"), Post("2016-01-02T00:00:00.000000Z", "later")),
    ),
)


def jsonl(folder: Path, rows: Sequence[Mapping[str, object] | str], name: str = "posts.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def post(**changes: object) -> dict[str, object]:
    row = {"user": "ana", "time": "2016-01-01", "text": "hello", **changes}
    return {key: value for key, value in row.items() if value is not None}


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".db"])
def test_every_format_gives_the_same_corpus(tmp_path: Path, ending: str) -> None:
    path, frame = tmp_path / f"posts{ending}", pd.DataFrame(ROWS)
    match ending:
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case ".json":
            frame.to_json(path, orient="records")
        case ".csv" | ".tsv":
            frame.to_csv(path, index=False, sep="," if ending == ".csv" else "\t")
        case ".parquet":
            frame.to_parquet(path)
        case ".db":
            with closing(sqlite3.connect(path)) as database:
                frame.to_sql("posts", database, index=False)
    corpus = load_corpus(path)
    assert corpus.users == EXPECTED
    assert (corpus.name, corpus.excluded, corpus.warnings) == ("posts", {}, ())
    assert corpus.sides == ("left", "right")


def test_columns_and_table_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "all.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (x)")
        database.execute("CREATE TABLE posts (who, words, at, camp, bio, rate)")
        database.execute("INSERT INTO posts VALUES (7, 'hello', 1456833600, 'L', ' a\ncook ', 0.25)")
        database.commit()
    columns = Columns(user="who", text="words", time="at", side="camp", activity="rate")
    assert load_corpus(path, columns=columns, table="posts").users == (
        User("7", "L", "a cook", (Post("2016-03-01T12:00:00.000000Z", "hello"),), 0.25),
    )


BAD_ROWS = [
    ("{", Reason.BAD_JSON, "no JSON"),
    ("[1]", Reason.BAD_JSON, "expected a JSON object"),
    (post(user=None), Reason.MISSING_FIELD, "no user"),
    (post(user="  "), Reason.MISSING_FIELD, "no user"),
    (post(text=None), Reason.MISSING_FIELD, "no text"),
    (post(time=None), Reason.MISSING_FIELD, "no time"),
    (post(text=5), Reason.NOT_TEXT, "text is int"),
    (post(user=1.5), Reason.NOT_TEXT, "user is float"),
    (post(user=True), Reason.NOT_TEXT, "user is bool"),
    (post(side=["left"]), Reason.NOT_TEXT, "side is list"),
    (post(text="a\ud83d"), Reason.SURROGATE, "half of a surrogate pair"),
    (post(user="a\ud83d"), Reason.SURROGATE, "half of a surrogate pair"),
    (post(profile="a\ud83d"), Reason.SURROGATE, "half of a surrogate pair"),
    (post(text=" \n\u202e"), Reason.EMPTY_TEXT, "text is empty"),
    (post(text=""), Reason.EMPTY_TEXT, "text is empty"),
    (post(time="soon"), Reason.BAD_TIME, "'soon' is no time"),
    (post(activity=0), Reason.BAD_ACTIVITY, "expected a number in (0, 1]"),
    (post(activity="often"), Reason.BAD_ACTIVITY, "expected a number in (0, 1]"),
    (post(activity=float("nan")), Reason.BAD_ACTIVITY, "expected a number in (0, 1]"),
]


@pytest.mark.parametrize(("row", "reason", "said"), BAD_ROWS)
def test_a_bad_row_is_left_out_counted_and_named(
    tmp_path: Path, row: Mapping[str, object] | str, reason: Reason, said: str
) -> None:
    names = {"side": "left", "profile": "", "activity": 0.5}
    good = {**post(text="good"), **names}
    corpus = load_corpus(jsonl(tmp_path, [good, row, {**good, "text": "also good"}]))
    assert [p.text for p in corpus.users[0].posts] == ["good", "also good"]
    assert corpus.excluded == {reason.value: 1}
    (warning,) = corpus.warnings
    assert warning.startswith(f"{reason}: 1 left out: posts.jsonl:2: ")
    assert said in warning


def test_many_bad_rows_are_counted_with_the_first_three_named(tmp_path: Path) -> None:
    corpus = load_corpus(jsonl(tmp_path, [post(), *[post(text="")] * 50]))
    assert corpus.excluded == {"empty_text": 50}
    assert corpus.warnings[0].count("posts.jsonl:") == 3


def test_a_text_that_a_user_repeats_counts_once_at_its_earliest_time(tmp_path: Path) -> None:
    rows = [
        post(time="2016-01-03", text="hi  there"),
        post(time="2016-01-01", text="hi there"),
        post(user="bob", text="hi there"),
    ]
    corpus = load_corpus(jsonl(tmp_path, rows))
    assert [[p.time[:10] for p in user.posts] for user in corpus] == [["2016-01-01"], ["2016-01-01"]]
    assert corpus.excluded == {"duplicate_post": 1}
    assert "posts.jsonl:1: 'ana' repeats" in corpus.warnings[0]


def test_posts_of_equal_time_keep_the_order_of_the_file(tmp_path: Path) -> None:
    corpus = load_corpus(jsonl(tmp_path, [post(text=text) for text in "cab"]))
    assert [p.text for p in corpus.users[0].posts] == ["c", "a", "b"]


def test_users_with_too_few_posts_are_left_out_and_counted(tmp_path: Path) -> None:
    corpus = load_corpus(jsonl(tmp_path, [post(), post(text="b"), post(user="bob")]), min_posts=2)
    assert [user.user_id for user in corpus] == ["ana"]
    assert corpus.excluded == {"too_few_posts": 1}
    assert "'bob' has 1 of 2" in corpus.warnings[0]


def test_a_user_on_two_sides_is_an_error_naming_both_places(tmp_path: Path) -> None:
    rows = [post(side="left"), post(text="b"), post(text="c", side="right")]
    with pytest.raises(
        CorpusError, match=r"posts\.jsonl:3: user 'ana' is 'right' here and 'left' at posts\.jsonl:1"
    ):
        load_corpus(jsonl(tmp_path, rows))


def test_a_side_stated_once_is_the_users_side(tmp_path: Path) -> None:
    rows = [post(), post(text="b", side="left", profile="first"), post(text="c", side=" ", profile="second")]
    assert load_corpus(jsonl(tmp_path, rows)).users[0].side == "left"
    assert load_corpus(jsonl(tmp_path, rows)).users[0].profile == "first"


def test_no_usable_user_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no usable user remains\nempty_text: 2 left out: posts\.jsonl:1"):
        load_corpus(jsonl(tmp_path, [post(text=""), post(text=" ")]))


def test_a_file_without_a_single_object_shows_its_first_problem(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no row with named fields; posts\.jsonl:1: no JSON"):
        load_corpus(jsonl(tmp_path, ["user,text,time", "ana,hello,2016"]))


def test_a_header_without_rows_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("user,text,time\n")
    with pytest.raises(CorpusError, match="no usable user remains"):
        load_corpus(tmp_path / "posts.csv")


def test_a_user_table_tells_side_profile_and_activity(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user,side,bio,activity\nana,left,A cook,0.5\nbob,right,,\ncid,,,7\n")
    rows = [post(), post(user="bob", profile="own words"), post(user="dan")]
    corpus = load_corpus(jsonl(tmp_path, rows), users=tmp_path / "users.csv")
    assert [(u.user_id, u.side, u.profile, u.activity) for u in corpus] == [
        ("ana", "left", "A cook", 0.5),
        ("bob", "right", "own words", None),
        ("dan", None, "", None),
    ]
    assert corpus.excluded == {"bad_activity": 1}


def test_a_user_table_may_not_contradict_the_posts(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user,side\nana,left\n")
    with pytest.raises(
        CorpusError, match=r"posts\.jsonl:1: user 'ana' is 'right' here and 'left' at users\.csv:2"
    ):
        load_corpus(jsonl(tmp_path, [post(side="right")]), users=tmp_path / "users.csv")


def test_users_without_a_post_are_noted(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user,side\nana,left\nbob,right\n")
    corpus = load_corpus(jsonl(tmp_path, [post()]), users=tmp_path / "users.csv")
    assert len(corpus) == 1
    assert "1 users of" in corpus.warnings[0]


def test_the_digest_ignores_the_format_and_sees_every_change(tmp_path: Path) -> None:
    digest = load_corpus(jsonl(tmp_path, ROWS)).digest
    assert load_corpus(jsonl(tmp_path, ROWS[::-1])).digest == digest
    for column in ROWS[0]:
        changed = [{**ROWS[0], column: "2017-01-01" if column == "time" else "x"}, *ROWS[1:]]
        if column in ("user_id", "text", "time"):
            assert load_corpus(jsonl(tmp_path, changed)).digest != digest


def test_min_posts_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="min_posts: got 0"):
        load_corpus(tmp_path / "posts.jsonl", min_posts=0)


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abc"), texts, st.integers(0, 3) | texts), min_size=1, max_size=12
    )
)
def test_every_row_is_either_a_post_or_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, object]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    keys = ("user", "text", "time")
    path.write_text(
        "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in [*rows, ("z", "z", 0)])
    )
    corpus = load_corpus(path)
    assert sum(len(user.posts) for user in corpus) + sum(corpus.excluded.values()) == len(rows) + 1
    for user in corpus:
        assert [p.time for p in user.posts] == sorted(p.time for p in user.posts)
    assert [user.user_id for user in corpus] == sorted(user.user_id for user in corpus)
