"""A result file: curves of one experiment, as one JSON object that says what they are and how they were made.

Whatever measures something over something writes one: votes over models, capacity over memory length, gain over
ranks. `plures dashboard` shows those it finds below its folders. The file's name ends in `.result.json`.

    {"plures_result": 1, "kind": "voting", "title": "…", "source": "the command", "toy": true, "made_at": "…",
     "x": {"label": "models that vote", "unit": "models", "log": true},
     "y": {"label": "accuracy", "unit": "share", "log": false},
     "interval": "middle 95% of subsets",
     "series": [{"name": "variants", "x": [1, 10], "y": [0.36, 0.43], "low": [0.3, 0.4], "high": [0.4, 0.45]}],
     "fits": [{"series": "variants", "form": "log", "intercept": 0.386, "slope": 0.0172, "r_squared": 0.888}],
     "settings": {…}, "machine": {…}, "versions": {…}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    model_validator,
)

from sim.atomic import write_text
from sim.errors import LabError

FORMAT = 1
MARK = "plures_result"
"""The key that makes a JSON object a result file; its value is the format."""
SUFFIX = ".result.json"

Kind = Literal["voting", "capacity", "rank_sweep", "other"]
"""Which published curves stand beside it, if any."""
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Axis(_Strict):
    """What an axis shows.

    Args:
        label: in words.
        unit: of its numbers; "" for none.
        log: whether it is best drawn logarithmically; its numbers are then positive.
    """

    label: Line
    unit: str = ""
    log: bool = False


class Series(_Strict):
    """One curve.

    Args:
        name: tells curves apart.
        x: rising or not.
        y: as many as `x`; None where there is no value.
        low: lower ends of intervals, or None for a curve without.
        high: upper ends.
    """

    name: Line
    x: tuple[FiniteFloat, ...] = Field(min_length=1)
    y: tuple[FiniteFloat | None, ...]
    low: tuple[FiniteFloat | None, ...] | None = None
    high: tuple[FiniteFloat | None, ...] | None = None

    @model_validator(mode="after")
    def _as_long(self) -> Self:
        for key in ("y", "low", "high"):
            values = getattr(self, key)
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"{key}: has {len(values)} values; expected {len(self.x)}, as many as x")
        if (self.low is None) != (self.high is None):
            raise ValueError("low, high: give both or none")
        return self


class Fit(_Strict):
    """A curve fitted to a series: y = intercept + slope · x, or · ln x for the form `log`.

    Args:
        series: name of the series.
        form: of the curve.
        intercept: in units of y.
        slope: per unit of x, or of ln x.
        r_squared: share of the variance explained; None when not known.
    """

    series: Line
    form: Literal["linear", "log"]
    intercept: FiniteFloat
    slope: FiniteFloat
    r_squared: FiniteFloat | None = None

    def at(self, x: float) -> float:
        """The curve's value; `x` > 0 for the form `log`."""
        return self.intercept + self.slope * (math.log(x) if self.form == "log" else x)


class LabResult(_Strict):
    """One experiment's curves.

    Args:
        kind: which published curves stand beside it.
        title: one line.
        x: horizontal axis.
        y: vertical axis.
        series: at least one curve.
        source: the command or code that made it.
        toy: whether a toy base made it; said wherever it is shown.
        interval: what `low` and `high` of the series are; needed when any has them.
        fits: curves fitted to series.
        settings: the full configuration, as plain values.
        machine: hardware that it ran on.
        versions: package → version.
        made_at: ISO 8601; "" when not known.
    """

    kind: Kind
    title: Line
    x: Axis
    y: Axis
    series: tuple[Series, ...] = Field(min_length=1)
    source: Line
    toy: bool
    interval: str = ""
    fits: tuple[Fit, ...] = ()
    settings: Mapping[str, Any] = Field(default_factory=dict)
    machine: Mapping[str, Any] = Field(default_factory=dict)
    versions: Mapping[str, str] = Field(default_factory=dict)
    made_at: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [series.name for series in self.series]
        if len(set(names)) < len(names):
            raise ValueError(f"series: names {names} repeat; each curve needs its own")
        if not self.interval and any(series.low is not None for series in self.series):
            raise ValueError("interval: say what low and high of the series are, such as '95% bootstrap'")
        for axis, key in ((self.x, "x"), (self.y, "y")):
            values = [value for series in self.series for value in getattr(series, key)]
            if axis.log and any(value is not None and value <= 0 for value in values):
                raise ValueError(f"{key}.log: a logarithmic axis needs positive numbers")
        for fit in self.fits:
            if fit.series not in names:
                raise ValueError(f"fits: {fit.series!r} is no series; there are {', '.join(names)}")
            if fit.form == "log" and min(self.series[names.index(fit.series)].x) <= 0:
                raise ValueError(f"fits: {fit.series!r} is fitted over ln x, so its x must be positive")
        return self

    def write(self, path: Path) -> None:
        """Keep it, atomically.

        Raises:
            LabError: for a name that does not end in `.result.json`, by which result files are found.
        """
        if not path.name.endswith(SUFFIX):
            raise LabError(f"{path}: expected a name that ends in {SUFFIX}")
        value = {MARK: FORMAT, **self.model_dump(mode="json")}
        write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def of(cls, value: Mapping[str, Any], where: str) -> LabResult:
        """Read the object of a result file.

        Args:
            value: as parsed from JSON.
            where: the file, for messages.

        Raises:
            LabError: a newer format, or a value that does not fit; names the key.
        """
        found = value.get(MARK)
        if not isinstance(found, int) or found < 1:
            raise LabError(
                f"{where}: {MARK}: got {found!r}; expected the number of a format, at most {FORMAT}"
            )
        if found > FORMAT:
            raise LabError(f"{where}: written by a newer Plures (result format {found}). Upgrade Plures.")
        try:
            return cls.model_validate({key: item for key, item in value.items() if key != MARK})
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, problem['loc'])) or 'result'}: {problem['msg']}"
                for problem in error.errors()
            ]
            raise LabError(f"{where}: {'; '.join(problems[:5])}") from error
