"""Network: who is tied to whom, step by step?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pandas as pd
import streamlit as st

from dashboards.plots.network import ColourBy, community_chart, network_chart
from dashboards.shell import cached, choose, chosen_run, link, page, pick_points, plain, show_table
from dashboards.stepping import choose_step
from sim.errors import RunAgentError
from sim.numbers import counted, number
from sim.run_agents import finished_step, language_cells
from sim.run_dir import CellDir, RunDir
from sim.views import networks
from sim.views.community_map import MOST_NODES, community_map, members
from sim.views.networks import RELATION_MEANINGS, NetworkMoment
from sim.views.remarks import remarks

_positions, _moment = cached(networks.positions), cached(networks.network_moment)
_ties, _map = cached(networks.ties_of), cached(community_map)
_NOBODY = -1
_CLICKED = "clicked-agent"
_MEANINGS = "\n\n".join(f"**{name}**: {meaning}" for name, meaning in RELATION_MEANINGS.items())
_COLOURS: dict[ColourBy, str] = {
    "side": "their side",
    "stance": "their stance at the step",
    "community": "their community at the step",
}
assert set(_COLOURS) == set(get_args(ColourBy))


def render() -> None:
    """Draw the page."""
    with page("Network", "Who meets, follows, answers and shares whom? Do communities follow the sides?"):
        run = chosen_run()
        cell = _cell(run)
        for remark in remarks(run):
            st.caption(plain(remark))
        relation, by, step = _choices(cell)
        size = cell.key.size
        places = _positions(cell, relation, size) if size <= MOST_NODES else None
        moment = _moment(run, cell, relation, step, places)
        picture, beside = st.columns([3, 2], gap="medium")
        with beside:
            agent_id = _card(run, cell, moment)
            st.markdown("**Measures at this step**")
            name = f"network-{cell.key.id}-{relation}-step{step}"
            show_table(moment.facts, name, help={"measure": "its definition is in the third column"})
        with picture:
            _picture(run, cell, relation, step, by, moment, agent_id)
        if agent_id is not None:
            handle = moment.nodes.set_index("agent_id")["handle"][agent_id]
            st.subheader(plain(f"Whom @{handle} is tied to at step {step}"))
            show_table(_ties(run, cell, relation, step, agent_id), f"ties-of-{handle}")


def _cell(run: RunDir) -> CellDir:
    cells = {cell.key.id: cell for cell in language_cells(run)}
    if not cells:
        raise RunAgentError(
            f"{run.path}: no cell with language agents has begun yet, so there is no network. Look again later."
        )
    with st.sidebar:
        return cells[choose("cell", "Cell", list(cells))]


def _choices(cell: CellDir) -> tuple[str, ColourBy, int]:
    tie, look, when = st.columns([1, 1, 2])
    with tie:
        relation = choose("relation", "Ties", list(RELATION_MEANINGS), help=_MEANINGS)
    with look:
        by = choose("by", "Colour and shape show", list(_COLOURS), format=lambda by: _COLOURS[by])
    with when:
        step = choose_step(finished_step(cell))
    if by == "stance" and not cell.stance_file.exists():
        st.info("Stances are measured when the cell is done; until then none is known.")
    return relation, by, step


def _picture(
    run: RunDir,
    cell: CellDir,
    relation: str,
    step: int,
    by: ColourBy,
    moment: NetworkMoment,
    agent_id: int | None,
) -> None:
    sides = run.manifest["sides"]
    if len(moment.nodes) <= MOST_NODES:
        _follow_click(pick_points(network_chart(moment, by, sides, agent_id), "network", moment.alt))
        return
    mapped = _map(cell, relation, step, moment)
    points = pick_points(community_chart(mapped, sides), "communities", mapped.alt)
    for community in _chosen(points):
        show_table(members(moment, community), f"community-{community + 1}")


def _follow_click(points: Sequence[Mapping[str, Any]]) -> None:
    """Let the address name the agent that was clicked, once: it must not undo what was chosen elsewhere since."""
    clicked = next(iter(_chosen(points)), None)
    if clicked != st.session_state.get(_CLICKED):
        st.session_state[_CLICKED] = clicked
        if clicked is not None:
            st.query_params["agent"] = str(clicked)
            st.rerun()


def _chosen(points: Sequence[Mapping[str, Any]]) -> list[int]:
    """What stands in the `customdata` of the chosen points."""
    return [_number(point["customdata"]) for point in points if "customdata" in point]


def _number(customdata: object) -> int:
    value = customdata[0] if isinstance(customdata, list) else customdata
    return int(str(value))


def _card(run: RunDir, cell: CellDir, moment: NetworkMoment) -> int | None:
    """Who is chosen; None for nobody."""
    nodes = {int(row["agent_id"]): row for row in moment.nodes.to_dict("records")}
    label = {_NOBODY: "nobody: click a point, or choose here"} | {
        agent_id: f"@{row['handle']}" for agent_id, row in nodes.items()
    }
    agent_id = choose("agent", "Agent", list(label), format=lambda agent: label[agent])
    if agent_id == _NOBODY:
        return None
    row, persona = nodes[agent_id], run.read_population(cell.key.size).set_index("agent_id")["persona"]
    stance = "unknown" if pd.isna(row["stance"]) else number(row["stance"], signed=True)
    st.text(f"{persona[agent_id]}\nStance {stance}, {counted(row['degree'], 'tie')}.")
    about, ask = st.columns(2)
    with about:
        link(f"All about @{row['handle']}", "agent", agent=str(agent_id), cell=cell.key.id)
    with ask:
        link("Interview", "agent", agent=str(agent_id), cell=cell.key.id, show="interview")
    return agent_id
