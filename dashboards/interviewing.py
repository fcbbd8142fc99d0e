"""The interview on the page Agent: a question, and every voice's answer beside the others'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboards.interviewer import interviewer
from dashboards.shell import choose, folders, plain, show_table
from sim.errors import InterviewError
from sim.numbers import counted
from sim.run_agents import finished_step, language_cells
from sim.run_dir import CellDir, RunDir
from sim.views.agents import Agent, store_of
from sim.views.interviews import Held, exchanges, interviews_with

_NEW = "new"
_FORMS = {
    "post": "in the words of a post, as it writes them",
    "free": "freely",
}


def interview(run: RunDir, cell: CellDir, agent: Agent) -> None:
    """Draw it.

    Args:
        run: below a folder of the dashboard; its transcripts go to `interviews/` in it.
        cell: in whose history the agent is met.
        agent: who is asked.
    """
    if run.manifest["base"]["toy"]:
        st.warning(
            "The base is a toy: it can hold no conversation. Its answers show that the machinery works, and at best "
            "what an adapter's words are like."
        )
    begun = _chosen(interviews_with(run, cell.key.id, agent.agent_id))
    settings = _settings(run, cell, begun)
    if begun:
        _transcript(exchanges(run, begun.session), begun.session)
    if asked := _question():
        _ask(run, cell, agent, settings | {"question": asked, "session": begun.session if begun else None})


def _chosen(held: Sequence[Held]) -> Held | None:
    """The interview that is shown, or None for one that begins with the next question."""
    by_name = {one.session: one for one in held}
    if st.query_params.get("session", _NEW) not in {_NEW, *by_name}:
        del st.query_params["session"]  # of the agent that was shown before
    chosen = choose(
        "session",
        "Interview",
        [_NEW, *by_name],
        format=lambda name: (
            "a new one" if name == _NEW else f"{name}, {counted(by_name[name].questions, 'question')}"
        ),
    )
    return by_name.get(chosen)


def _settings(run: RunDir, cell: CellDir, begun: Held | None) -> dict[str, Any]:
    """When, in which form and in which voices; an interview that was begun keeps its own."""
    if begun is not None:
        st.caption(
            plain(
                f"After step {begun.step}, answered {_FORMS[begun.form]}. It goes on with the next question."
            )
        )
        return {"step": begun.step, "form": begun.form, "also": begun.also}
    when, how, who = st.columns(3)
    last = finished_step(cell)
    step = when.number_input(
        "Moment: after step", 0, last, last, help="The agent sees what it saw when it last acted until then."
    )
    toy = bool(run.manifest["base"]["toy"])
    form = how.selectbox("Answers", list(_FORMS), index=0 if toy else 1, format_func=lambda key: _FORMS[key])
    also = who.multiselect("Further voices", _others(run, cell), help="This agent under other conditions.")
    return {"step": int(step), "form": form, "also": also}


def _others(run: RunDir, cell: CellDir) -> list[str]:
    """Conditions beside the two that always answer."""
    key = cell.key
    return [
        other.key.condition
        for other in language_cells(run)
        if (other.key.size, other.key.seed) == (key.size, key.seed)
        and other.key.condition not in (key.condition, "shared_base")
    ]


def _question() -> str:
    with st.form("interview", clear_on_submit=True, border=False):
        words, send = st.columns([5, 1], vertical_alignment="bottom")
        asked = words.text_input("Question", max_chars=2_000)
        sent = send.form_submit_button("Ask", type="primary", width="stretch")
    return asked.strip() if sent else ""


def _ask(run: RunDir, cell: CellDir, agent: Agent, question: dict[str, Any]) -> None:
    """Ask, then draw the page again: the address names the interview, whose transcript has the answer."""
    asked = interviewer(run.path, _store(run))
    waiting = "Waiting for the answers…" if asked.alive else "Loading the base, then waiting for the answers…"
    with st.spinner(waiting):
        answer = asked.ask({**question, "agent": str(agent.agent_id), "cell": cell.key.id})
    st.query_params["session"] = str(answer["session"])
    st.rerun()


def _store(run: RunDir) -> Path:
    stores = folders().stores()
    if store := store_of(run, stores):
        return store
    raise InterviewError(
        f"None of the {len(stores)} adapter stores below {folders().shown} has this run's adapters. Start the "
        "dashboard with the folder of its store, too: plures dashboard RUNS STORE"
    )


def _transcript(frame: pd.DataFrame, session: str) -> None:
    for turn, answers in frame.groupby("turn", sort=True):
        st.markdown(f"**{turn}. {plain(answers['question'].iloc[0])}**")
        _side_by_side(answers.to_dict("records"))
    with st.expander("As a table"):
        show_table(frame, f"interview-{session}")


def _side_by_side(answers: Sequence[Any]) -> None:
    for column, answer in zip(st.columns(len(answers)), answers, strict=True):
        with column, st.container(border=True):
            adapter = answer["adapter"][:12] if answer["adapter"] else "the bare base"
            st.caption(plain(f"{answer['voice']} · {adapter}"))
            st.text(answer["answer"] or "(no words)")
            if answer["finish_reason"] == "length":
                st.caption("Cut at the longest answer.")
