"""A result file is read back as it was written, and what does not fit is refused by its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import LabError
from sim.lab_result import FORMAT, MARK, Axis, Fit, LabResult, Series

VOTING = LabResult(
    kind="voting",
    title="More voters, better answers",
    x=Axis(label="models that vote", unit="models", log=True),
    y=Axis(label="accuracy", unit="share"),
    series=(
        Series(
            name="variants", x=(1, 10, 100), y=(0.36, 0.43, 0.46), low=(0.3, 0.4, 0.44), high=(0.4, 0.5, 0.48)
        ),
        Series(name="repetition", x=(1, 10, 100), y=(0.36, 0.40, None)),
    ),
    source="plures lab voting",
    toy=True,
    interval="middle 95% of 30 subsets",
    fits=(Fit(series="variants", form="log", intercept=0.36, slope=0.02, r_squared=0.9),),
    settings={"subsets": 30},
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def test_written_and_read_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "voting.result.json"
    VOTING.write(file)
    value = json.loads(file.read_text())
    assert value[MARK] == FORMAT
    assert LabResult.of(value, "voting") == VOTING


@given(st.lists(st.tuples(NUMBERS, NUMBERS | st.none()), min_size=1), st.text(min_size=1, max_size=40))
def test_any_curve_comes_back(points: list[tuple[float, float | None]], name: str) -> None:
    x, y = zip(*points, strict=True)
    result = VOTING.model_copy(
        update={"series": (Series(name=name, x=x, y=y),), "fits": (), "x": Axis(label="x"), "interval": ""}
    )
    again = json.loads(json.dumps({MARK: FORMAT, **result.model_dump(mode="json")}))
    assert LabResult.of(again, "file") == result


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({MARK: 2}, "newer Plures"),
        ({MARK: "one"}, "expected the number of a format"),
        ({"kind": "vote"}, "kind: "),
        ({"colour": "red"}, "colour: "),
        ({"series": []}, "series: "),
        ({"series": [{"name": "a", "x": [1, 2], "y": [1]}]}, "y: has 1 values; expected 2"),
        ({"series": [{"name": "a", "x": [1], "y": [1], "low": [1]}]}, "low, high: give both or none"),
        ({"series": [{"name": "a", "x": [1], "y": ["NaN"]}]}, "series.0.y.0: "),
        ({"series": [{"name": "a", "x": [1], "y": [1]}] * 2, "fits": []}, "repeat"),
        ({"series": [{"name": "variants", "x": [0], "y": [1]}]}, "logarithmic axis"),
        ({"fits": [{"series": "b", "form": "log", "intercept": 0, "slope": 0}]}, "'b' is no series"),
        ({"interval": ""}, "interval: say what"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    value = {MARK: FORMAT, **VOTING.model_dump(mode="json"), **change}
    with pytest.raises(LabError, match=message) as caught:
        LabResult.of(value, "some.result.json")
    assert str(caught.value).startswith("some.result.json: ")


def test_a_result_goes_where_it_will_be_found(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"\.result\.json"):
        VOTING.write(tmp_path / "voting.json")


def test_a_fit_is_a_line_over_x_or_its_logarithm() -> None:
    # 0.386 + 0.0172 ln 100 = 0.386 + 0.0172 * 4.60517 = 0.46521
    assert Fit(series="s", form="log", intercept=0.386, slope=0.0172).at(100) == pytest.approx(
        0.46521, abs=1e-5
    )
    assert Fit(series="s", form="linear", intercept=1, slope=-0.5).at(4) == -1
