from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import CorpusError
from sim.errors import GraphError
from sim.graph_files import NamedNetwork, read_network, with_labels


def write(folder: Path, text: str, name: str = "edges.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def ties(named: NamedNetwork) -> dict[tuple[str, str], float]:
    source, target, weight = named.network.edges
    return {
        (named.names[a], named.names[b]): w for a, b, w in zip(source, target, weight.tolist(), strict=True)
    }


def test_a_tie_is_there_or_not_without_weights(tmp_path: Path) -> None:
    path = write(tmp_path, "source,target\nann,bob\nbob,ann\nann,ann\nbob,cy\nbob,cy\n")
    named = read_network(path)
    assert ties(named) == {("ann", "bob"): 1.0, ("bob", "cy"): 1.0}
    assert named.notes == ("1 self-loop left out", "2 repeated edges merged")
    arcs = read_network(path, directed=True)
    assert ties(arcs) == {("ann", "bob"): 1.0, ("bob", "ann"): 1.0, ("bob", "cy"): 1.0}
    assert arcs.notes == ("1 self-loop left out", "1 repeated edge merged")


def test_weights_of_repeated_edges_are_added(tmp_path: Path) -> None:
    path = write(tmp_path, "src\tdst\tn\n1\t2\t0.5\n2\t1\t3\n2\t3\t1\n", "edges.tsv")
    assert ties(read_network(path, weights="n")) == {("1", "2"): 3.5, ("2", "3"): 1.0}
    named = read_network(path, directed=True, weights="n")
    assert ties(named) == {("1", "2"): 0.5, ("2", "1"): 3.0, ("2", "3"): 1.0}


def test_ends_are_found_by_usual_names_or_are_the_only_two_columns(tmp_path: Path) -> None:
    usual = write(tmp_path, "year,To,From\n1999,b,a\n", "usual.csv")
    assert ties(read_network(usual, directed=True)) == {("a", "b"): 1.0}
    two = write(tmp_path, "sender,w,receiver\na,2,b\n", "two.csv")
    named = read_network(two, directed=True, weights="w")
    assert ties(named) == {("a", "b"): 2.0}
    assert named.notes == ("the ends of edges are the columns 'sender' and 'receiver'",)
    with pytest.raises(
        GraphError, match=r"two.csv: which two columns .* 'sender', 'w', 'receiver'; call them"
    ):
        read_network(two)


def test_any_format_of_corpora_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"source": [1, 2], "target": [2, 3]})
    frame.to_parquet(tmp_path / "edges.parquet")
    (tmp_path / "edges.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    frame.to_json(tmp_path / "edges.jsonl", orient="records", lines=True)
    for name in ("edges.parquet", "edges.csv.gz", "edges.jsonl"):
        assert ties(read_network(tmp_path / name)) == {("1", "2"): 1.0, ("2", "3"): 1.0}


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=20
    ).filter(lambda rows: any(a != b for a, b, _ in rows))
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]]
) -> None:
    frame = pd.DataFrame(rows, columns=["source", "target", "weight"])
    path = tmp_path_factory.mktemp("round") / "edges.csv"
    frame.to_csv(path, index=False)
    apart = frame[frame.source != frame.target]
    expected = apart.groupby(["source", "target"])["weight"].sum()
    found = ties(read_network(path, directed=True, weights="weight"))
    assert {(int(a), int(b)): w for (a, b), w in found.items()} == expected.to_dict()


@pytest.mark.parametrize(
    ("text", "weights", "message"),
    [
        ("a,b\n1,2,3\n", None, r"edges.csv:2: 3 fields; the header has 2. Mend or delete the line"),
        ("source,target\n1,2\n,3\n", None, r"edges.csv:3: source: got ''; expected the name"),
        ("source,target,w\n1,2,1\n1,3,many\n", "w", r"edges.csv:3: w: got 'many'; expected a finite number"),
        ("source,target,w\n1,2,inf\n", "w", r"edges.csv:2: w: got 'inf'"),
        ("source,target,w\n1,2,0\n", "w", r"edges.csv:2: w: got '0'; expected a finite number above 0"),
        ("source,target,w\n1,1,no\n", "w", r"edges.csv:2: w: got 'no'"),
        ("0,1\n1,2\n", None, r"edges.csv:1: no header; got '0', '1'. Add a first line such as source,target"),
        ("src,dst\n1,2\n", "dst", r"ends of an edge\? Found 'src' beside the weights 'dst'; call them"),
        ("source,target\n1,1\n", None, r"edges.csv: no edge joins two nodes"),
        ("source,target,v\n1,2,1\n", "w", r"no column 'w' for --weights; found 'source', 'target', 'v'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_line(
    tmp_path: Path, text: str, weights: str | None, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(GraphError, match=message):
        read_network(path, weights=weights)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none.csv: no such file"):
        read_network(tmp_path / "none.csv")


@pytest.fixture
def path_of_four(tmp_path: Path) -> NamedNetwork:
    return read_network(write(tmp_path, "source,target\na,b\nb,c\nc,d\n"))


def test_labels_find_their_nodes_by_name(tmp_path: Path, path_of_four: NamedNetwork) -> None:
    path = write(tmp_path, "node,party,stance\nb,left,-0.5\na,left,\nd,,0.25\nz,right,1\n", "labels.csv")
    named = with_labels(path_of_four, path)
    assert named.labels.side is not None
    assert named.labels.score is not None
    assert named.labels.side.tolist() == ["left", "left", None, None]
    assert named.labels.score == pytest.approx(np.array([np.nan, -0.5, np.nan, 0.25]), nan_ok=True)
    # c is not in the file, d has an empty cell; a has no stance
    assert named.notes == (
        "2 nodes without a party",
        "2 nodes without a stance",
        "1 labelled node without a tie left out",
    )


def test_a_column_asked_for_as_the_label_is_not_read_as_the_score(
    tmp_path: Path, path_of_four: NamedNetwork
) -> None:
    words = write(tmp_path, "node,stance\na,pro\nb,con\n", "words.csv")
    with pytest.raises(GraphError, match=r"words.csv:2: stance: got 'pro'.*Then --label stance"):
        with_labels(path_of_four, words)
    named = with_labels(path_of_four, words, side="stance")
    assert named.labels.score is None
    assert named.labels.side is not None
    assert named.labels.side.tolist() == ["pro", "con", None, None]
    numbers = write(tmp_path, "node,group\na,1\nb,2\n", "numbers.csv")
    assert with_labels(path_of_four, numbers, score="group").labels.side is None


def test_numbers_of_nodes_are_names_in_whatever_type_they_are_stored(tmp_path: Path) -> None:
    pd.DataFrame({"source": [1.0, 2.0], "target": [2.0, 3.0]}).to_parquet(tmp_path / "edges.parquet")
    assert ties(read_network(tmp_path / "edges.parquet")) == {("1", "2"): 1.0, ("2", "3"): 1.0}
    pd.DataFrame({"source": [1.5], "target": [2.0]}).to_parquet(tmp_path / "half.parquet")
    with pytest.raises(GraphError, match=r"source: got 1.5; expected the name or number of a node"):
        read_network(tmp_path / "half.parquet")


def test_the_only_column_is_the_label_and_others_can_be_chosen(
    tmp_path: Path, path_of_four: NamedNetwork
) -> None:
    one = with_labels(path_of_four, write(tmp_path, "who,club\na,x\nb,y\n", "one.csv"))
    assert one.labels.side is not None
    assert one.labels.side.tolist() == ["x", "y", None, None]
    several = write(tmp_path, "who,club,age\na,x,20\nb,y,30\n", "several.csv")
    chosen = with_labels(path_of_four, several, side="club", score="age")
    assert chosen.labels.score is not None
    assert chosen.labels.score[:2].tolist() == [20.0, 30.0]
    with pytest.raises(
        GraphError, match=r"which column is the label\? Found 'who', 'club', 'age'.*--label COLUMN"
    ):
        with_labels(path_of_four, several)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("node,side\na,x\na,y\n", {}, r"labels.csv:3: node: 'a' occurs twice"),
        ("node,side\ny,x\n", {}, r"none of its 1 nodes is in the network"),
        ("node,side\na,x\n", {"side": "club"}, r"no column 'club' beside the node; found 'side'"),
        ("node,side,party\na,x,y\n", {}, r"'side' and 'party' could both be meant; choose with --label"),
        ("node,score\na,high\n", {}, r"labels.csv:2: score: got 'high'; expected a finite number"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, path_of_four: NamedNetwork, text: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        with_labels(path_of_four, write(tmp_path, text, "labels.csv"), **options)
