"""Watching one run: its tasks, its messages, the end of its log; stopping it, and going on with it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboards.folders import Folders
from dashboards.shell import choose, folders, guarded, link, plain
from sim.control import RunView, launched, look, resume, stop
from sim.errors import RunDirError

REFRESH = 1.0
"""Seconds between two looks at a run that is going on."""
KEPT_TASKS = 8
"""Latest tasks that are drawn one by one."""
MEANING = {
    "starting": "Python is loading, and the scenario is being checked with its corpus and base.",
    "unstarted": "It ended before it began; the log says why. Mend that, then start it again under the same name.",
    "preparing": "Adapters are being trained; those that the store holds already are taken from there.",
    "running": "The population acts, cell by cell.",
    "interrupted": "Somebody stopped it. What is finished is kept; it can go on.",
    "failed": "It ended with an error; the log says which. What is finished is kept; it can go on.",
    "died": "Its process is gone without a word (killed, or the machine went down). It can go on.",
    "done": "Finished.",
}
"""What each stage means to whoever watches."""


def watch() -> None:
    """Choose a run and watch it.

    Raises:
        RunDirError: when the chosen one is damaged.
    """
    found = folders()
    names = _names(found)
    if not names:
        st.info(plain(f"No run below {found.shown} yet."))
        link("Start one", "control", do="Start a run")
        return
    name = choose("run", "Run", names)
    out = found.path(name)
    live = look(out).live

    @st.fragment(run_every=REFRESH if live else None)
    def draw() -> None:
        with guarded():
            seen = look(out)
            _show(name, seen)
            _buttons(found, seen)
            if seen.live != live:
                st.rerun(scope="app")

    draw()
    if not live:
        with st.container(horizontal=True):
            for label, page in (
                ("Compare conditions", "compare"),
                ("Network", "network"),
                ("Agents", "agent"),
            ):
                link(label, page, run=name)


def store_for(found: Folders, folder: Path) -> Path:
    """The adapter store that runs in a folder use: the one below the same root, else a new one beside them.

    Args:
        found: the dashboard's folders.
        folder: where the run lies.
    """
    root = next(root for root in found.roots.values() if folder.is_relative_to(root))
    near = [store for store in found.stores() if store.is_relative_to(root)]
    return near[0] if near else folder / "store"


def _names(found: Folders) -> list[str]:
    """All runs, those that never began included, the latest first."""
    paths = {found.path(name) for name in found.run_names()}
    paths |= {found.guard(path) for root in found.roots.values() for path in launched(root)}
    return [found.name(path) for path in sorted(paths, key=_changed, reverse=True)]


def _changed(out: Path) -> float:
    traces = (out / "progress.json", out / "manifest.json", out.with_name(f"{out.name}.log"))
    return max((file.stat().st_mtime for file in traces if file.exists()), default=0.0)


def _show(name: str, seen: RunView) -> None:
    st.markdown(f"**{plain(name)}**: {seen.status}. {MEANING[seen.status]}")
    tasks = seen.progress.tasks if seen.progress else []
    if len(tasks) > KEPT_TASKS:
        st.caption(f"{len(tasks) - KEPT_TASKS} earlier tasks are finished.")
    for task in tasks[-KEPT_TASKS:]:
        note = f" · {task.note}" if task.note else ""
        share = min(task.done / task.total, 1.0) if task.total else 1.0
        st.progress(share, plain(f"{task.name}: {task.done} of {task.total}{note}"))
    for message in seen.progress.messages if seen.progress else []:
        st.text(message)
    if seen.log:
        with st.expander("Log", expanded=seen.status in ("unstarted", "failed")):
            st.code("\n".join(seen.log), language=None, wrap_lines=True)


def _buttons(found: Folders, seen: RunView) -> None:
    if seen.live:
        if st.button("Stop", icon=":material/stop_circle:", help="It ends after the pass that is under way."):
            stop(seen.path)
            st.toast("Asked it to stop.")
    elif seen.resumable and st.button("Resume", icon=":material/play_circle:", type="primary"):
        if not any(seen.path.parent.is_relative_to(root) for root in found.roots.values()):
            raise RunDirError(
                f"{seen.path}: a log would be written beside it, outside of the dashboard's folders. "
                f"Start the dashboard with {seen.path.parent}, or resume it on the command line."
            )
        resume(seen.path, store=store_for(found, seen.path.parent))
        st.rerun(scope="app")
