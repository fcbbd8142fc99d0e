"""Lab: what did the experiments find, and did the benchmarks keep their promises?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards.plots import lab as plots
from dashboards.shell import cached, choose, folders, page, plain, show_chart, show_table
from sim.views import lab as view

_listings, _curves, _benchmark = cached(view.listings), cached(view.curves), cached(view.benchmark)


def render() -> None:
    """Draw the page."""
    with page("Lab", "What did the experiments find, and did the benchmarks keep their promises?"):
        given = folders()
        paths = {given.guard(path) for root in given.roots.values() for path in view.result_files(root)}
        files = _listings(sorted(paths))
        known = {given.name(file.path): file for file in files if file.what != "unreadable"}
        if not known:
            st.info(
                plain(
                    f"No result file below {given.shown} yet. Experiments write files that end in .result.json, "
                    "and a benchmark is kept with: python -m benchmarks.NAME --json > NAME.json."
                )
            )
        else:
            name = choose("file", "Result", list(known), format=lambda name: f"{known[name].title} ({name})")
            file = known[name]
            draw = _draw_result if file.what == "result" else _draw_benchmark
            draw(file)
        _unreadable([file for file in files if file.what == "unreadable"])


def _draw_result(file: view.Listed) -> None:
    seen = _curves(file.path)
    result = seen.result
    st.header(plain(result.title))
    if result.toy:
        st.warning("Made with a toy base: shapes may mean something, heights mean nothing.")
    published = bool(seen.published) and st.checkbox(
        "Published curves, of other bases and data: compare shapes, not heights", value=True
    )
    drawn = plots.curves(seen, published=published)
    show_chart(drawn.figure, "experiment", drawn.alt)
    if published:
        st.caption(
            plain("\n".join(f"{curve.name}: {curve.note} (arXiv 2606.02437)." for curve in seen.published))
        )
    show_table(seen.points, "points")
    facts = {
        "source": result.source,
        "made": result.made_at or "–",
        **{f"setting {key}": str(value) for key, value in result.settings.items()},
        **{f"machine {key}": str(value) for key, value in result.machine.items()},
        **{f"version of {key}": value for key, value in result.versions.items()},
    }
    show_table(pd.DataFrame(list(facts.items()), columns=["what", "value"]), "how-it-was-made")


def _draw_benchmark(file: view.Listed) -> None:
    seen = _benchmark(file.path)
    st.header(plain(file.title))
    st.caption(plain(seen.machine))
    verdict = f"{seen.met} of {len(seen.goals)} goals met"
    if seen.met < len(seen.goals):
        st.warning(verdict)
    else:
        st.success(verdict)
    show_table(
        seen.goals,
        "goals",
        help={"promised": "the name of a goal says whether at least or at most is promised"},
    )
    show_table(
        seen.figures,
        "figures",
        help={
            "value": "median of the repeats, or estimate",
            "low": "least repeat, or end of the 95% interval",
            "high": "greatest repeat, or end of the 95% interval",
        },
    )


def _unreadable(files: list[view.Listed]) -> None:
    if files:
        st.header("Other JSON files")
        st.caption("They lie in the dashboard's folders, but are no results, or are damaged.")
        rows = [(str(file.path), file.title) for file in files]
        show_table(pd.DataFrame(rows, columns=["file", "message"]), "unreadable")
