from pathlib import Path

import pytest

from agents.edge_list import read_edge_list
from agents.errors import PopulationError

AGENTS = {"ana": 2, "bob": 0, "7": 1}


def write(folder: Path, content: str, name: str = "edges.csv") -> Path:
    (folder / name).write_text(content)
    return folder / name


def test_edges_among_the_agents_are_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    rows = "src,dst,weight\nana,bob,1\nbob,7,3\nana,bob,2\nana,ana,1\nana,zoe,1\nzoe,ana,1\nana,,1\nana\n"
    edges, excluded = read_edge_list(write(tmp_path, rows), AGENTS)
    assert list(edges.itertuples(index=False, name=None)) == [(0, 1), (2, 0)]
    assert list(edges.columns) == ["follower_id", "followee_id"]
    assert (edges.dtypes == "int64").all()
    assert excluded == {"duplicate_edge": 1, "self_loop": 1, "outside_population": 2, "bad_row": 2}


def test_numbers_are_ids_too(tmp_path: Path) -> None:
    path = write(
        tmp_path, '{"follower": 7, "followee": "ana"}\n{"follower": true, "followee": "ana"}', "edges.jsonl"
    )
    edges, excluded = read_edge_list(path, AGENTS)
    assert edges.to_numpy().tolist() == [[1, 2]]
    assert excluded == {"bad_row": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\nana,bob\n", "exactly one column among follower_id"),
        ("src,source,dst\nana,bob,bob\n", "exactly one column among follower_id"),
        ("src,dst\nx,y\n", r"no edge joins two of the 3 agents \(outside_population: 1\)"),
        ("src,dst\n", r"no edge joins two of the 3 agents \(no rows\)"),
        ("", "is empty"),
    ],
)
def test_a_file_that_gives_no_edge_says_why(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(PopulationError, match=said):
        read_edge_list(write(tmp_path, content), AGENTS)


def test_a_missing_file_is_an_error_of_the_scenario_key(tmp_path: Path) -> None:
    with pytest.raises(PopulationError, match=r"follow_graph\.path: .*no such file"):
        read_edge_list(tmp_path / "edges.csv", AGENTS)
