from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import StoreError, UnknownAdapterError
from adapters.store import AdapterStore, EntryFilter, MetricBound
from adapters.store.catalog import policies, queries
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.references import check_name, resolve
from adapters.store.catalog.shape import Shape
from tests.adapters.store.catalog.test_file import row
from tests.adapters.store.samples import FINGERPRINT, publish

ONE = "1234567890" + "a" * 54
TWIN = "1234567890" + "b" * 54
OTHER = "abcdef0123" + "c" * 54


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """ada: ONE then OTHER; ben: TWIN; `12345678` (a name of digits): OTHER; the tag paper: ONE."""
    catalog = Catalog(tmp_path / "catalog.sqlite", wait=0)
    catalog.create()
    with catalog.writing() as db:
        for revision in (ONE, TWIN, OTHER):
            queries.put_revision(db, row(revision))
        for name, revision in (("ada", ONE), ("ada", OTHER), ("ben", TWIN), ("12345678", OTHER)):
            policies.publish(db, name, revision, "2026")
        queries.put_tag(db, "paper", ONE, "2026")
    with catalog.reading() as db:
        yield db


@pytest.mark.parametrize(
    ("ref", "revision"),
    [
        ("ada", OTHER),
        ("ben", TWIN),
        ("paper", ONE),
        ("ada@1234", ONE),
        ("ada@a", OTHER),
        (f"ada@{ONE}", ONE),
        (TWIN, TWIN),
        ("abcdef01", OTHER),
        (TWIN[:11], TWIN),
        ("12345678", OTHER),
    ],
)
def test_every_kind_of_reference_finds_its_revision(db: sqlite3.Connection, ref: str, revision: str) -> None:
    """A name goes before the beginning of an id: `12345678` is somebody here."""
    assert resolve(db, ref) == revision


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "@",
        "ada@",
        "@1234",
        "ada@9",
        "nobody@1234",
        "abcdef0",
        "ABCDEF01",
        ONE[:-1] + "0",
        "a%",
        "ada@%",
        "../ada",
    ],
)
def test_what_means_nothing_is_unknown(db: sqlite3.Connection, ref: str) -> None:
    with pytest.raises(UnknownAdapterError, match="no such name, tag or revision"):
        resolve(db, ref)


def test_an_ambiguous_beginning_lists_the_candidates(db: sqlite3.Connection) -> None:
    with pytest.raises(UnknownAdapterError, match=f"{ONE[:12]}, {TWIN[:12]}.*more digits"):
        resolve(db, ONE[:10])


def test_a_misspelt_name_or_tag_is_answered_with_those_alike(db: sqlite3.Connection) -> None:
    with pytest.raises(UnknownAdapterError, match=r"Did you mean ada\?"):
        resolve(db, "adda")
    with pytest.raises(UnknownAdapterError, match=r"Did you mean paper\?"):
        resolve(db, "papers")
    with pytest.raises(UnknownAdapterError, match="'ada' exists, but no revision of its history"):
        resolve(db, "ada@9999")


def test_a_name_without_its_corpus_is_answered_with_the_whole_name(store: AdapterStore) -> None:
    publish(store, "brackwater.bijabi")
    for ref in ("bijabi", "bijaby", "town.bijabi"):
        with pytest.raises(UnknownAdapterError, match=r"Did you mean brackwater\.bijabi\?"):
            store.resolve(ref)


@pytest.mark.parametrize(
    ("wanted", "sentences"),
    [
        (EntryFilter(), []),
        (EntryFilter(base="tiny-moe", tag="paper", metric=MetricBound("loss", ">=", 1)), []),
        (EntryFilter(base=FINGERPRINT[:8]), []),
        (EntryFilter(base="tiny-mo"), ["no base 'tiny-mo' here; did you mean tiny-moe?"]),
        (EntryFilter(tag="papers"), ["no tag 'papers' here; did you mean paper?"]),
        (
            EntryFilter(base="x", metric=MetricBound("y", "<=", 1)),
            ["no base 'x' here; there are tiny-moe", "no metric 'y' here; there are loss"],
        ),
    ],
)
def test_a_filter_by_what_nothing_has_is_told_apart_from_one_that_fits_nothing(
    store: AdapterStore, wanted: EntryFilter, sentences: list[str]
) -> None:
    store.tag("paper", publish(store, "ada", metrics={"loss": 1.0}))
    assert store.unknown_in(wanted) == sentences


@pytest.mark.parametrize("name", ["a", "0", "user-0007", "town.ada_2", "x" * 80, "deadbeef"])
def test_fit_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "-a", ".a", "A", "a b", "a/b", "../a", "a@b", "ä", "a\n", "x" * 81, "ab" * 32, "a\0"],
)
def test_unfit_names_are_refused_with_the_rule(name: str) -> None:
    with pytest.raises(StoreError, match="1 to 80 characters"):
        check_name(name)


@given(st.text())
def test_a_name_that_passes_is_safe_in_a_path_and_in_a_shell(name: str) -> None:
    try:
        check_name(name)
    except StoreError:
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert name[0] not in ".-"


def test_a_tag_cannot_become_a_name(db: sqlite3.Connection) -> None:
    fits = ("a" * 64, Shape(4))
    policies.admit(db, "ada", *fits)
    with pytest.raises(StoreError, match="'paper' is a tag"):
        policies.admit(db, "paper", *fits)
