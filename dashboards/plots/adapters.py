"""Figures of the page on adapters."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sim.figure_style import GREY, STYLE, colour
from sim.numbers import counted
from sim.views.likelihoods import Likelihoods
from sim.views.lineage import Lineage
from sim.views.revisions import TrainingCurve

_MARKS = {"publish": "circle", "rollback": "square", "branch": "diamond"}
_LINES = {"publish": "solid", "rollback": "dash", "back to": "dot", "branch": "dashdot"}
_MOST_NAMES = 40
"""Of people along an axis."""


class Drawn(NamedTuple):
    """A figure and what it says in words."""

    figure: go.Figure
    alt: str


def lineage(told: Lineage) -> Drawn:
    """One lane for each record; steps from left to right."""
    figure = go.Figure()
    for event, moves in told.moves.groupby("event", sort=False):
        gaps = moves.assign(gap=np.nan)  # parts the lines
        figure.add_scatter(
            x=gaps[["x_from", "x_to", "gap"]].to_numpy().ravel(),
            y=gaps[["lane_from", "lane_to", "gap"]].to_numpy().ravel(),
            mode="lines", name=str(event), line={"dash": _LINES[str(event)], "color": GREY, "width": 1.5},
            hoverinfo="skip", legendgroup="lines", showlegend=event == "back to",
        )  # fmt: skip
    for place, (event, mark) in enumerate(_MARKS.items()):
        for is_head in (False, True):
            of_kind = told.steps[(told.steps["event"] == event) & (told.steps["head"] == is_head)]
            if len(of_kind):
                figure.add_scatter(
                    x=of_kind["x"],
                    y=of_kind["lane"],
                    mode="markers+text",
                    name=f"{event}, head" if is_head else event,
                    text=["serves" if served else "" for served in of_kind["served"]],
                    textposition="top center",
                    marker={
                        "symbol": mark if is_head else f"{mark}-open",
                        "size": 14,
                        "color": colour(place),
                        "line": {"width": 2},
                    },
                    customdata=of_kind[["record", "entry", "revision", "at", "state"]],
                    hovertemplate="%{customdata[0]}, entry %{customdata[1]}<br>%{customdata[2]}<br>"
                    "%{customdata[3]}, %{customdata[4]}<extra></extra>",
                )
    lanes = told.steps.drop_duplicates("record")
    figure.update_yaxes(
        tickvals=lanes["lane"],
        ticktext=[
            escape(name) + (" (retired)" if gone else "")
            for name, gone in zip(lanes["record"], lanes["retired"], strict=True)
        ],
        range=[len(lanes) - 0.5, -0.7],
        zeroline=False,
    )
    figure.update_xaxes(
        title_text="step in the family's history", dtick=max(1, len(told.steps) // 12), zeroline=False
    )
    figure.update_layout(height=160 + 48 * len(lanes), **STYLE, margin={"t": 30, "b": 50}, legend={"y": 1})
    events = told.steps["event"].value_counts()
    counts = ", ".join(f"{events.get(event, 0)} {event}" for event in _MARKS)
    return Drawn(
        figure,
        f"Lineage: {counted(len(lanes), 'record')} of one family, {counted(len(told.steps), 'step')} "
        f"({counts}); filled marks are what records stand for now. A dotted line leads back to the entry that a "
        "rollback returned to.",
    )


def training_curve(curve: TrainingCurve) -> Drawn:
    """The adapter's own loss over the band of all that were trained with it."""
    figure = go.Figure()
    others, own = curve.others, curve.own
    if curve.adapters > 1:
        figure.add_scatter(
            x=[*others["step"], *others["step"][::-1]], y=[*others["high"], *others["low"][::-1]], mode="lines",
            line={"width": 0}, fill="toself", fillcolor=GREY, opacity=0.2, hoverinfo="skip",
            name="middle four fifths of all",
        )  # fmt: skip
        figure.add_scatter(
            x=others["step"], y=others["median"], mode="lines", name="median of all",
            line={"color": GREY, "dash": "dash"},
        )  # fmt: skip
    figure.add_scatter(
        x=own["step"], y=own["loss"], mode="lines+markers", name="this adapter", line={"color": colour(0)},
        marker={"size": 5},
    )  # fmt: skip
    figure.update_xaxes(title_text="optimizer step")
    figure.update_yaxes(title_text="loss, nats per token")
    figure.update_layout(
        height=340, **STYLE, margin={"t": 30, "b": 50}, legend={"orientation": "h", "y": 1.15}
    )
    return Drawn(
        figure,
        f"Training loss over {len(own)} optimizer steps: {own['loss'].iloc[0]:.3f} before the first, "
        f"{own['loss'].iloc[-1]:.3f} before the last; {curve.adapters} adapters were trained together.",
    )


def likelihood_map(seen: Likelihoods, *, against_base: bool) -> Drawn:
    """Everybody's held-out posts (rows) under everybody's adapter (columns), the own on the diagonal."""
    values = seen.saved if against_base else seen.nats
    unit = "nats saved against the base" if against_base else "nats per token"
    people, adapters = ([escape(str(name)) for name in names] for names in (values.index, values.columns))
    figure = go.Figure(
        go.Heatmap(
            z=values.to_numpy(dtype="float32"),
            x=list(range(len(adapters))),
            y=list(range(len(people))),
            colorscale="Cividis",
            reversescale=not against_base,
            colorbar={"title": {"text": unit, "side": "right"}},
            customdata=_pairs(people, adapters),
            hovertemplate="posts of %{customdata[0]}<br>adapter of %{customdata[1]}<br>%{z:.3f} "
            + unit
            + "<extra></extra>",
        )
    )
    for axis, names in (("xaxis", adapters), ("yaxis", people)):
        shown = range(0, len(names), -(-len(names) // _MOST_NAMES))
        figure.update_layout({axis: {"tickvals": list(shown), "ticktext": [names[i][:24] for i in shown]}})
    figure.update_xaxes(title_text="adapter of", showgrid=False)
    figure.update_yaxes(title_text="held-out posts of", autorange="reversed", showgrid=False)
    figure.update_layout(height=620, **STYLE, margin={"t": 30, "b": 60})
    return Drawn(
        figure,
        f"Held-out posts of {len(people)} people under {len(adapters)} adapters, {unit}; brighter is likelier, the own "
        f"adapter is on the diagonal. It is the best of all for {seen.own_first:.0%} of people (adapters that are all "
        f"alike: {seen.chance:.0%}).",
    )


def states(frame: pd.DataFrame) -> Drawn:
    """Revisions by serving state."""
    figure = go.Figure(
        go.Bar(
            x=frame["revisions"], y=frame["state"], orientation="h", text=[f"{n:,}" for n in frame["revisions"]],
            textposition="auto", marker={"color": colour(0)},
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="revisions")
    figure.update_layout(height=280, **STYLE, margin={"t": 20, "b": 50})
    said = ", ".join(f"{row.revisions:,} {row.state}" for row in frame.itertuples())
    return Drawn(figure, f"Revisions by serving state: {said}.")


def _pairs(people: list[str], adapters: list[str]) -> list[list[tuple[str, str]]]:
    """Names for each cell, as hover texts want them."""
    return [[(person, adapter) for adapter in adapters] for person in people]
