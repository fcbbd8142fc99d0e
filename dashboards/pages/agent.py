"""Agent: who is this, what did it learn, see, do and write, and what does it answer?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboards.interviewing import interview
from dashboards.plots.agent import stance_chart
from dashboards.shell import (
    cached,
    choose,
    choose_part,
    chosen_run,
    folders,
    link,
    page,
    pick_rows,
    plain,
    show_chart,
    show_table,
)
from sim.errors import USER_ERRORS, RunAgentError
from sim.run_agents import find_agent, language_cells
from sim.run_dir import CellDir, RunDir
from sim.views import agent_across
from sim.views import agents as view
from sim.views.adapters import store_with
from sim.views.remarks import remarks
from sim.views.revisions import provenance

_acts, _moment, _written = cached(view.acts), cached(view.moment), cached(view.written)
_training, _carried = cached(view.training_posts), cached(view.carried)
_across, _stance = cached(agent_across.across), cached(agent_across.stance_over_steps)
_provenance = cached(provenance)

_WORDS_HEIGHT = 460
_TOLD = {
    "about": "the post or user that the act is about",
    "words": "what the agent wrote",
    "outcome": "done, or what went wrong",
    "prompt_tokens": "length of what it read",
    "reply_tokens": "length of what it answered",
}


@dataclass(frozen=True)
class _Shown:
    run: RunDir
    cell: CellDir
    agent: view.Agent
    carried: view.Carried


def render() -> None:
    """Draw the page."""
    with page("Agent", "Who is this, what did it learn, see, do and write, and what does it answer?"):
        shown = _choose()
        for remark in remarks(shown.run):
            st.caption(plain(remark))
        _head(shown)
        part = choose_part("show", {name: label for name, (label, _) in _PARTS.items()})
        _PARTS[part][1](shown)


def _choose() -> _Shown:
    run = chosen_run()
    cells = {cell.key.id: cell for cell in language_cells(run)}
    if not cells:
        raise RunAgentError(f"{run.path}: no cell with language agents has begun yet. Look again later.")
    with st.sidebar:
        cell = cells[choose("cell", "Cell", list(cells))]
        people = run.read_population(cell.key.size).set_index("agent_id")
        agent_id = choose(
            "agent",
            "Agent",
            list(people.index),
            default=people["activity"].idxmax(),
            format=lambda agent: f"@{people['handle'][agent]}",
        )
    agent = find_agent(run, cell.key.size, agent_id)
    return _Shown(run, cell, agent, _carried(run, cell, agent))


def _head(shown: _Shown) -> None:
    agent = shown.agent
    who, where = st.columns([3, 2])
    with who:
        st.subheader(plain(f"@{agent.handle}"))
        st.text(
            f"{agent.persona}\nSide: {agent.side or 'unknown'}. Acts at {agent.activity:.0%} of steps. "
            f"User {agent.user_id} of the corpus.\nAdapter in {shown.cell.key.id}: {shown.carried.whose}."
        )
    with where:
        link("In the network", "network", cell=shown.cell.key.id, agent=str(agent.agent_id))
        if shown.carried.revision:
            link("Its adapter in the store", "adapters", revision=shown.carried.revision)


def _overview(shown: _Shown) -> None:
    run, cell, agent = shown.run, shown.cell, shown.agent
    plotted = _stance(run, cell.key.size, agent)
    if len(plotted.frame):
        figure = stance_chart(plotted, run.scenario.conditions, (cell.key.condition, cell.key.seed))
        st.markdown(plain(plotted.title))
        show_chart(figure, f"stance-{agent.handle}", plotted.alt)
    else:
        st.info(plain(plotted.alt))
    st.subheader("The same agent in every cell")
    frame = _across(run, cell.key.size, agent)
    show_table(frame, f"{agent.handle}-in-every-cell", help={"stance": "after the last step"})
    with st.container(horizontal=True):
        for other in frame["cell"]:
            if other != cell.key.id:
                link(f"in {other}", "agent", cell=other, agent=str(agent.agent_id))


def _acting(shown: _Shown) -> None:
    frame = _acts(shown.run, shown.cell, shown.agent.agent_id)
    if frame.empty:
        st.info("This agent has not acted yet.")
        return
    only = st.toggle("Failures only", key="failures-only")
    if only:
        frame = frame[~frame["ok"]].reset_index(drop=True)
        if frame.empty:
            st.info("Nothing that this agent decided failed.")
            return
    st.caption("Choose a row to see what the agent saw then.")
    rows = pick_rows(frame, f"acts-{shown.agent.handle}-{shown.cell.key.id}", help=_TOLD, many=False)
    step = int(frame["step"].iloc[rows[0]]) if rows else int(frame["step"].iloc[-1])
    _seen(shown, step)


def _seen(shown: _Shown, step: int) -> None:
    seen = _moment(shown.run, shown.cell, shown.agent.agent_id, step)
    st.subheader(f"What it saw at step {step}, and what it answered")
    show_table(seen.feed, f"feed-{shown.agent.handle}-step{step}")
    prompt, reply = st.columns(2)
    with prompt:
        st.markdown("**Prompt**")
        st.text(seen.prompt)
    with reply:
        st.markdown("**Reply**")
        st.text(seen.reply)
        show_table(seen.facts, f"request-{shown.agent.handle}-step{step}")


def _words(shown: _Shown) -> None:
    learned, wrote = st.columns(2)
    with learned:
        st.subheader("Trained on")
        if shown.carried.revision is None:
            st.caption("This cell runs on the bare base; the person's posts trained nothing in it.")
        elif shown.carried.whose != view.OWN:
            st.caption(plain(f"In this cell the adapter is {shown.carried.whose}. The person's own posts:"))
        with st.spinner("Reading the corpus again…"):
            own = _own_posts(shown)
        if own is not None:
            with st.container(height=_WORDS_HEIGHT):
                st.text("\n\n".join(own["text"]))
            _as_table(own, f"training-posts-{shown.agent.handle}")
    with wrote:
        st.subheader(f"Wrote in {plain(shown.cell.key.id)}")
        texts = _written(shown.cell, shown.agent.agent_id)
        with st.container(height=_WORDS_HEIGHT):
            st.text("\n\n".join(view.told(texts)) or "Nothing yet.")
        _as_table(texts, f"texts-{shown.agent.handle}-{shown.cell.key.id}")


def _own_posts(shown: _Shown) -> pd.DataFrame | None:
    """None, with a message, when the corpus is gone or another one: all else on the page stands without it."""
    try:
        posts = _training(shown.run)
    except USER_ERRORS as error:
        st.warning(plain(str(error)))
        return None
    own = posts[posts["user_id"] == shown.agent.user_id]
    return own[["time", "text"]].reset_index(drop=True)


def _as_table(frame: pd.DataFrame, name: str) -> None:
    with st.expander("As a table"):
        show_table(frame, name)


def _adapter(shown: _Shown) -> None:
    revision = shown.carried.revision
    if revision is None:
        st.info("In this cell everybody is the bare base: there is no adapter.")
        return
    stores = folders().stores()
    store = store_with(stores, revision)
    if store is None:
        st.warning(
            plain(
                f"None of the {len(stores)} adapter stores below {folders().shown} has revision {revision[:12]}. Start "
                "the dashboard with the folder of the run's store, too."
            )
        )
        return
    show_table(_provenance(store, revision), f"adapter-{revision[:12]}")


def _interview(shown: _Shown) -> None:
    interview(shown.run, shown.cell, shown.agent)


_PARTS: Mapping[str, tuple[str, Callable[[_Shown], None]]] = {
    "overview": ("Stance", _overview),
    "words": ("What it learned and wrote", _words),
    "acts": ("What it saw and did", _acting),
    "adapter": ("Adapter", _adapter),
    "interview": ("Interview", _interview),
}
