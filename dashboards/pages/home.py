"""Home: the runs below the dashboard's folders."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboards.shell import (
    choose,
    folders,
    guarded,
    link,
    page,
    pick_rows,
    plain,
    run_list,
    show_table,
)
from sim.views.runs import HEADLINE_METRICS, LIVE, RunSummary, frame_of, headlines, label_of, summarize

ANY = "any"
REFRESH = 2.0
"""Seconds between two looks at runs that are going on."""
_COLUMNS = {
    "run": "folder, below the dashboard's own",
    "status": "died: the manifest says that it goes on, but its process is gone. It can be resumed",
    "progress": "share of all steps of all cells",
    "N": "people in each population",
    "seeds": "paired repetitions",
    "MB": "size on disk, without the adapter store",
    "message": "why a run cannot be read",
}
_HEADLINE_COLUMNS = {
    "n": "people in each population",
    "treated": "mean over seeds under the treatment",
    "controls": "mean over seeds under the control",
    "difference": "treated minus controls, paired by seed",
    "low": "lower end of the 95% interval of the difference",
    "high": "upper end of the 95% interval of the difference",
    "ratio": "treated over controls; none where a measure can be negative",
}


def render() -> None:
    """Draw the page."""
    with page("Runs", "Which runs are there, how far are they, and what did they find?"):
        found = folders()
        runs = {name: summarize(found.path(name)) for name in found.run_names()}
        if not runs:
            st.info(plain(f"No run below {found.shown} yet."))
            link("Start one", "control")
            return
        _under_way([name for name, run in runs.items() if run.status in LIVE])
        shown = _filtered(runs)
        frame = frame_of(shown)
        picked = [str(frame["run"][row]) for row in pick_rows(frame, "runs", help=_COLUMNS, columns=_looks())]
        for name, run in shown.items():
            if run.status == "unreadable":
                st.warning(plain(f"{name} cannot be read. {run.message}"))
        _doors(picked, shown)
        if any(run.toy for run in shown.values()):
            st.caption("Toy base: the numbers show that the machinery works, not how people behave.")
        _findings({name: run for name, run in shown.items() if run.status == "done"})


def _under_way(names: list[str]) -> None:
    """Progress of the runs that go on; the whole page is drawn anew when one of them comes to its end."""
    if not names:
        return

    @st.fragment(run_every=REFRESH)
    def bars() -> None:
        with guarded():
            found = folders()
            for name in names:
                run = summarize(found.path(name))
                st.progress(
                    run.progress,
                    plain(f"{name}: {run.status}, {run.cells_done} of {run.cells} cells, {run.progress:.0%}"),
                )
                if run.status not in LIVE:
                    st.rerun(scope="app")

    bars()


def _filtered(runs: Mapping[str, RunSummary]) -> dict[str, RunSummary]:
    left, middle, right = st.columns([2, 1, 1])
    with left:
        words = st.text_input("Find", placeholder="name, scenario, condition or base", key="find").lower()
    with middle:
        status = choose("status", "Status", [ANY, *sorted({run.status for run in runs.values()})])
    with right:
        size = choose("size", "N", [ANY, *map(str, sorted({n for run in runs.values() for n in run.sizes}))])
    return {
        name: run
        for name, run in runs.items()
        if words in " ".join((name, run.scenario, run.base, *run.conditions)).lower()
        and status in (ANY, run.status)
        and size in (ANY, *map(str, run.sizes))
    }


def _doors(picked: list[str], runs: Mapping[str, RunSummary]) -> None:
    readable = [name for name in picked if runs[name].status != "unreadable"]
    if not readable:
        st.caption("Tick one run to look into it, or several to compare them.")
        return
    with st.container(horizontal=True):
        if len(readable) > 1:
            link(f"Compare {len(readable)} runs", "compare", runs=run_list(readable), run="")
            return
        name = readable[0]
        for label, target in (
            ("Compare conditions", "compare"),
            ("Network", "network"),
            ("Agents", "agent"),
            ("Stance & cascades", "stance"),
            ("Watch, stop or resume", "control"),
        ):
            link(label, target, run=name, runs="")
        report = runs[name].path / "report.html"
        if report.exists():
            st.download_button(
                "Report",
                data=lambda: folders().guard(report).read_bytes(),
                file_name=f"{report.parent.name}-report.html",
                mime="text/html",
                type="tertiary",
                icon=":material/download:",
                on_click="ignore",
            )


def _findings(done: Mapping[str, RunSummary]) -> None:
    st.subheader("What they found")
    if not done:
        st.caption("No finished run among these yet.")
        return
    metric = choose("measure", "Measure", HEADLINE_METRICS, format=label_of)
    show_table(
        headlines({name: run.path for name, run in done.items()}, metric),
        f"headline-{metric}",
        help=_HEADLINE_COLUMNS,
    )
    st.caption(
        "Each run's own contrast at the last step, at its largest N: means over seeds, difference paired by seed."
    )


def _looks() -> dict[str, object]:
    return {
        "progress": st.column_config.ProgressColumn(
            format="percent", min_value=0, max_value=1, help=_COLUMNS["progress"]
        ),
        "started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
    }
