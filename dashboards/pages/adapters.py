"""Adapters: what does each person carry, where does it come from, does it carry the person?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pandas as pd
import streamlit as st

from dashboards.plots import adapters as plots
from dashboards.shell import (
    cached,
    choose,
    choose_part,
    folders,
    page,
    pick_rows,
    plain,
    show_chart,
    show_table,
)
from sim.errors import SimError
from sim.views import adapters as view
from sim.views import revisions
from sim.views.imitation import imitation_of
from sim.views.likelihoods import evaluations, likelihoods
from sim.views.lineage import record_lineage
from sim.views.opening import guard_store

_words, _find, _facts = cached(view.words), cached(view.find_records), cached(view.record_facts)
_history, _totals, _lineage = cached(view.history), cached(view.store_totals), cached(record_lineage)
_provenance, _curve = cached(revisions.provenance), cached(revisions.training_curve)
_states, _evidence = cached(revisions.states_log), cached(revisions.evidence_of)
_likelihoods, _imitation = cached(likelihoods), cached(imitation_of)

_ANY: Literal["any"] = "any"
_STATES: list[view.ServingState | Literal["any"]] = [_ANY, *view.STATE_MEANINGS]
_SEARCHES: Mapping[view.SearchBy, str] = {
    "name": "name begins with",
    "person": "person's id",
    "tag": "tag",
    "revision": "revision, 8 digits or more",
}


def render() -> None:
    """Draw the page."""
    with page(
        "Adapters", "What does each person carry, where does it come from, and does it carry the person?"
    ):
        store = _store()
        part = choose_part("part", {name: label for name, (label, _) in _PARTS.items()})
        _PARTS[part][1](store)


def _store() -> Path:
    """The store that the address names, or the first that holds the revision it names."""
    given = folders()
    stores = {given.name(path): path for path in given.stores()}
    if not stores:
        raise SimError(
            f"No adapter store below {given.shown}. `plures run` and `plures adapters train` make one, by default "
            "runs/store; start the dashboard with its folder."
        )
    revision = st.query_params.get("revision", "")
    holder = view.store_with(list(stores.values()), revision) if revision else None
    with st.sidebar:
        chosen = choose("store", "Store", list(stores), default=given.name(holder) if holder else None)
    return guard_store(stores[chosen], given.guard)


def _records(store: Path) -> None:
    search = _search(store)
    found = _paged(store, search)
    if found.frame.empty:
        st.info(plain("\n".join(found.unknown) or "No record is like that."))
    name = _chosen(store, found.frame)
    if name:
        st.header(plain(name))
        _record(store, name)


def _search(store: Path) -> view.Search:
    words = _words(store)
    kind, text, state, base = st.columns((2, 3, 2, 2))
    with kind:
        by = choose("by", "Find by", list(_SEARCHES), format=lambda key: _SEARCHES[key])
    with text:
        wanted = st.text_input(
            _SEARCHES[by].capitalize(), value=st.query_params.get("find", ""), key="find-text"
        ).strip()
        st.query_params["find"] = wanted
    with state:
        in_state = choose("state", "State", _STATES)
    with base:
        on_base = choose("base", "Base", [_ANY, *words.bases])
    order, low, retired = st.columns((3, 3, 3), vertical_alignment="bottom")
    with order:
        metric = choose("metric", "Order", ["name", *words.metrics])
    with low:
        low_is_good = st.checkbox("The least first", value=True, disabled=metric == "name")
    with retired:
        and_retired = st.checkbox("Records out of use, too")
    return view.Search(
        by=by,
        text=wanted,
        state=None if in_state == _ANY else in_state,
        base=None if on_base == _ANY else on_base,
        metric=None if metric == "name" else metric,
        low_is_good=low_is_good,
        retired=and_retired,
    )


def _paged(store: Path, search: view.Search) -> view.Found:
    """One page of the search, and the way to the next; a new search begins at its first."""
    asked = (str(store), search)
    if st.session_state.get("adapters-asked") != asked:
        st.session_state["adapters-asked"], st.session_state["adapters-cursors"] = asked, [None]
    cursors: list[str | None] = st.session_state["adapters-cursors"]
    found = _find(store, search, cursors[-1])
    back, forward, where = st.columns((1, 1, 6), vertical_alignment="center")
    back.button("Back", disabled=len(cursors) == 1, on_click=_drop_last, args=(cursors,), width="stretch")
    forward.button(
        "Next",
        disabled=found.following is None,
        on_click=cursors.append,
        args=(found.following,),
        width="stretch",
    )
    where.caption(f"Page {len(cursors)}, {len(found.frame)} records")
    return found


def _drop_last(cursors: list[str | None]) -> None:
    cursors.pop()


def _chosen(store: Path, frame: pd.DataFrame) -> str | None:
    """The record that was clicked last, else the one that the address names or whose revision it names."""
    number = len(st.session_state["adapters-cursors"])
    picked = pick_rows(frame, f"records, page {number}", many=False) if len(frame) else []
    name = str(frame["name"].iloc[picked[0]]) if picked else None
    if name and st.session_state.get("adapters-picked") != name:
        st.query_params["record"] = name
        st.query_params.pop("revision", None)
    st.session_state["adapters-picked"] = name
    if asked := st.query_params.get("record"):
        return asked
    if revision := st.query_params.get("revision"):
        holders = _find(store, view.Search("revision", revision)).frame
        return None if holders.empty else str(holders["name"].iloc[0])
    return None


def _record(store: Path, name: str) -> None:
    facts, past = _facts(store, name), _history(store, name)
    left, right = st.columns((2, 3))
    with left:
        show_table(facts, "record")
    with right:
        drawn = plots.lineage(_lineage(store, name))
        show_chart(drawn.figure, "lineage", drawn.alt)
        show_table(past, "history")
    revision = choose(
        "revision",
        "Revision",
        list(dict.fromkeys(past["revision"])),
        default=past.loc[past["head"], "revision"].iloc[0],
    )
    _revision(store, revision)


def _revision(store: Path, revision: str) -> None:
    training, states, evidence, origin = st.tabs(["Training", "Gates", "Evidence", "Provenance"])
    with training:
        curve = _curve(revisions.trainings_of(store), revision)
        if curve.own.empty:
            st.info("No training curve was kept: the adapter was imported, or trained by an earlier version.")
        else:
            drawn = plots.training_curve(curve)
            show_chart(drawn.figure, "training-curve", drawn.alt)
    with states:
        log = _states(store, revision)
        st.caption(
            "Every change of the serving state, the oldest first. A revision that was never tried has none."
        )
        show_table(log, "states")
    with evidence:
        show_table(_evidence(store, revision), "evidence")
    with origin:
        show_table(_provenance(store, revision), "provenance")


def _likelihood(store: Path) -> None:
    files = {file.stem: file for file in evaluations(store)}
    if not files:
        st.info(
            "Nothing was evaluated yet. `plures adapters evaluate` scores everybody's held-out posts under everybody's "
            "adapter and keeps the result in the store."
        )
        return
    file = files[choose("evaluation", "Evaluation", list(files))]
    seen = _likelihoods(file)
    shown = choose("unit", "Shown", ["saved against the base", "nats per token"])
    drawn = plots.likelihood_map(seen, against_base=shown.startswith("saved"))
    show_chart(drawn.figure, "likelihoods", drawn.alt)
    show_table(
        seen.people,
        "own-against-others",
        help={
            "own": "mean −log p per token of the person's held-out posts under the own adapter, nats",
            "others": "the same, averaged over all others' adapters",
            "base": "the same without an adapter",
            "rank": "of the own adapter among all; 1 is the best",
        },
    )
    _generated(file)


def _generated(evaluation: Path) -> None:
    """Posts that adapters wrote in the same evaluation, if any were asked for."""
    kept = _imitation(evaluation)
    if kept is None:
        return
    st.subheader("Posts that adapters wrote")
    st.caption(
        f"Taken for whose? A classifier that learned from real training posts guesses; chance is {kept.chance:.3f}."
    )
    show_table(
        kept.shares,
        "generated-posts-attributed",
        help={
            "writer": "the person's adapter, the base in the person's place, or the person (held-out posts)",
            "top1_post": "share of a person's texts whose likeliest author is that person; mean over people",
            "low": "end of the 95% interval over people",
            "high": "end of the 95% interval over people",
            "top1_tail": "share of people whose texts together are likeliest theirs",
            "copied": "share of texts that nearly repeat one of the person's training posts",
            "failed": "texts that did not come about, such as replies cut off; they are not attributed",
        },
    )
    show_table(kept.posts, "generated-posts", help={"guess": "the author it is taken for"})


def _whole(store: Path) -> None:
    with st.spinner("Counting; a million revisions take some seconds"):
        totals = _totals(store)
    drawn = plots.states(totals.states)
    show_chart(drawn.figure, "states-of-revisions", drawn.alt)
    show_table(totals.states, "states-and-meanings")
    left, right = st.columns(2)
    with left:
        show_table(totals.facts, "totals")
    with right:
        show_table(totals.places, "places")


_PARTS: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "records": ("Records", _records),
    "likelihoods": ("Own against others", _likelihood),
    "totals": ("The whole store", _whole),
}
