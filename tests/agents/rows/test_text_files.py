import gzip
from pathlib import Path

import pytest

from agents.errors import CorpusError
from agents.exclusions import Reason
from agents.rows import BadRow, Row, open_rows


def write(path: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson"])
def test_jsonl_yields_objects_with_their_lines(tmp_path: Path, name: str) -> None:
    source = open_rows(write(tmp_path / name, '\ufeff{"a":1}\n\n{"b":"é"}\r\n'))
    assert source.names == ("a", "b")
    assert list(source.read(())) == [Row(1, {"a": 1}), Row(3, {"b": "é"})]
    assert source.place(3) == f"{name}:3"


def test_bad_lines_of_jsonl_are_told_apart_from_good_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"a":1}\n{"a":\n[1]\n' + "[" * 100_000 + '\n{"a":2}')
    rows = list(open_rows(path).read(()))
    assert [row.number for row in rows if isinstance(row, Row)] == [1, 5]
    assert {row.reason for row in rows if isinstance(row, BadRow)} == {Reason.BAD_JSON}
    assert [row.number for row in rows if isinstance(row, BadRow)] == [2, 3, 4]


def test_a_json_array_yields_its_objects(tmp_path: Path) -> None:
    source = open_rows(write(tmp_path / "a.json", '[{"a":1},{"b":2}]'))
    assert (source.names, list(source.read(()))) == (("a", "b"), [Row(1, {"a": 1}), Row(2, {"b": 2})])


@pytest.mark.parametrize("content", ['{"a":1}\n{"a":2}', '{"a":1}', "[1]", "[" * 100_000])
def test_json_that_is_no_array_of_objects_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(CorpusError, match=r"name it \.jsonl|array of objects"):
        open_rows(write(tmp_path / "a.json", content))


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("a.csv", ","), ("a.csv.gz", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.csv", "\t")],
)
def test_csv_reads_quoted_fields_over_several_lines(tmp_path: Path, name: str, delimiter: str) -> None:
    lines = ["user;text", 'ana;"one;""two""\nthree"', "", "bob;four"]
    path = write(tmp_path / name, "\ufeff" + "\r\n".join(lines).replace(";", delimiter))
    rows = list(open_rows(path).read(()))
    text = f'one{delimiter}"two"\nthree'
    assert rows == [Row(2, {"user": "ana", "text": text}), Row(5, {"user": "bob", "text": "four"})]


def test_a_csv_row_of_another_length_is_a_bad_row(tmp_path: Path) -> None:
    rows = list(open_rows(write(tmp_path / "a.csv", "a,b\n1\n1,2\n1,2,3\n")).read(()))
    assert rows == [
        BadRow(2, Reason.BAD_ROW, "1 fields; the header has 2"),
        Row(3, {"a": "1", "b": "2"}),
        BadRow(4, Reason.BAD_ROW, "3 fields; the header has 2"),
    ]


def test_a_quotation_mark_that_never_closes_is_an_error_at_its_line(tmp_path: Path) -> None:
    """Read leniently it would swallow every row after it."""
    path = write(tmp_path / "a.csv", 'a,b\n1,2\n3,"4\n' + "5,6\n" * 9)
    with pytest.raises(CorpusError, match=r"a\.csv:3: broken CSV"):
        list(open_rows(path).read(()))


def test_a_long_csv_field_is_read(tmp_path: Path) -> None:
    text = "x" * 200_000
    assert list(open_rows(write(tmp_path / "a.csv", f"a\n{text}\n")).read(())) == [Row(2, {"a": text})]


@pytest.mark.parametrize(
    ("content", "said"), [("\n\n", "no header"), (",\n1,2", "no header"), ("a,b,a\n", "two columns .* 'a'")]
)
def test_a_csv_without_a_usable_header_is_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        open_rows(write(tmp_path / "a.csv", content))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.json"])
def test_bytes_that_are_not_utf_8_are_named_by_line_and_offset(tmp_path: Path, name: str) -> None:
    content = b'{"a":\n' + b'"\xfc"}'
    with pytest.raises(CorpusError, match=rf"{name}:2: not UTF-8 \(byte 0xfc at offset 7\)"):
        list(open_rows(write(tmp_path / name, content)).read(()))


def test_a_truncated_gzip_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", "".join(f'{{"a":{n}}}\n' for n in range(5_000)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match="truncated gzip"):
        list(open_rows(path).read(()))


def test_a_file_that_is_no_gzip_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_text('{"a":1}\n')
    with pytest.raises(CorpusError, match="not a sound gzip"):
        open_rows(path)


def test_a_damaged_gzip_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", "".join(f'{{"a":{n}}}\n' for n in range(5_000)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = b"\xff" * 50
    path.write_bytes(bytes(data))
    with pytest.raises(CorpusError, match=r"gzip|UTF-8"):
        list(open_rows(path).read(()))
