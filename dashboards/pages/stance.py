"""Stance and cascades: where do people stand, whom do they follow there, and what do posts set off?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import streamlit as st

from dashboards.plots.cascades import sizes_chart, tree_chart
from dashboards.plots.flows import flow_chart
from dashboards.plots.stance import spread_chart
from dashboards.shell import (
    cached,
    choose,
    choose_part,
    chosen_run,
    guarded,
    link,
    page,
    pick_points,
    plain,
    show_chart,
    show_table,
)
from dashboards.stepping import choose_step
from sim.attention import post_attention
from sim.cell import CellKey
from sim.figures import lorenz_figure, stance_violins
from sim.run_dir import CellDir, RunDir
from sim.views import cascades, stance
from sim.views.comparison import sizes
from sim.views.plotted import Plotted
from sim.views.remarks import remarks

_PARTS = {"stance": "Where people stand", "attention": "What got attention", "cascades": "Who passed on what"}
_MOMENTS = (3, 5, 9)
_TREES = {"follows": "from whom they had it (along follows)", "record": "as the platform records it"}
ALL_SEEDS = -1


def _spread(run: RunDir, size: int, seed: int | None) -> Plotted:
    return stance.spread_over_steps(_users(run, size, seed))


def _flows(run: RunDir, size: int, seed: int | None, count: int) -> Plotted:
    return stance.flows(_users(run, size, seed), stance.moments(run.scenario.simulation.steps, count))


def _at(run: RunDir, size: int, seed: int | None, step: int) -> Plotted:
    return stance.stance_at(_users(run, size, seed), step)


_all_stances = cached(stance.stances)
_spread_over_steps = cached(_spread)
_stance_at = cached(_at)
_band_flows = cached(_flows)
_attention = cached(post_attention)
_top_posts = cached(cascades.top_posts)
_cascade_sizes = cached(cascades.cascade_sizes)
_cascades = cached(cascades.cascades)
_trees = cached(cascades.same_post_trees)


def render() -> None:
    """Draw the page."""
    with page("Stance & cascades", "Where do people stand, who moves, and what do posts set off?"):
        run = chosen_run()
        if said := remarks(run):
            st.warning(plain("\n".join(said)))
        there = sizes(run)
        if not there:
            st.info("No cell is finished yet, and stances are written when a cell is. Look again later.")
            return
        part = choose_part("part", _PARTS)
        left, right = st.columns(2)
        with left:
            size = choose("n", "N", there, default=there[-1])
        with right:
            seeds = [ALL_SEEDS, *run.scenario.seeds]
            seed = choose(
                "seed", "Seed", seeds, format=lambda s: "all together" if s == ALL_SEEDS else str(s)
            )
        {"stance": _stance, "attention": _attention_part, "cascades": _cascade_part}[part](
            run, size, None if seed == ALL_SEEDS else seed
        )


def _users(run: RunDir, size: int, seed: int | None) -> pd.DataFrame:
    return stance.of_seed(_all_stances(run, size), seed)


def _stance(run: RunDir, size: int, seed: int | None) -> None:
    spread = _spread_over_steps(run, size, seed)
    show_chart(spread_chart(spread, run.manifest["sides"]), "stance-spread", spread.alt)
    _one_step(run, size, seed)
    _moves(run, size, seed)


@st.fragment  # a choice here draws this part alone anew
def _one_step(run: RunDir, size: int, seed: int | None) -> None:
    with guarded():
        step = choose_step(run.scenario.simulation.steps)
        users = _stance_at(run, size, seed, step)
        figure = stance_violins(users.frame, run.manifest["sides"])
        figure.update_layout(title=escape(users.title), margin_t=60)
        show_chart(figure, "stance-at-step", users.alt)


@st.fragment
def _moves(run: RunDir, size: int, seed: int | None) -> None:
    with guarded():
        count = choose("moments", "Moments between which moves are shown", _MOMENTS, default=5)
        flows = _band_flows(run, size, seed, count)
        show_chart(flow_chart(flows), "stance-flows", flows.alt)


def _attention_part(run: RunDir, size: int, seed: int | None) -> None:
    if not (cells := _cells(run, size, seed)):
        return
    attention = _attention(run, size)
    if seed is not None:
        attention = attention[attention["seed"] == seed]
    if attention["likes"].any():
        which = "all seeds together" if seed is None else f"seed {seed}"
        figure, caption = lorenz_figure(run, attention, size, which)
        figure.update_layout(title=f"How unequally likes fall on posts, N = {size}, {which}", margin_t=60)
        show_chart(figure, "lorenz", caption)
    else:
        st.info("Nobody liked anything, so there is nothing to share out.")
    st.subheader("Posts that others engaged with most")
    step = choose_step(run.scenario.simulation.steps, "Up to and including step")
    people = run.read_population(size)
    shown = [cell for cell in cells if cell.key.seed == cells[0].key.seed]
    for tab, cell in zip(st.tabs([plain(_named(cell)) for cell in shown]), shown, strict=True):
        with tab:
            show_table(_top_posts(cell, people, step), f"top-posts-{cell.key.id}")


def _cascade_part(run: RunDir, size: int, seed: int | None) -> None:
    if not (cells := _cells(run, size, seed)):
        return
    large = _cascade_sizes(cells)
    show_chart(sizes_chart(large), "cascade-sizes", large.alt)
    people = run.read_population(size)
    first, second, third = st.columns([2, 3, 3])
    by_id = {cell.key.id: cell for cell in cells}
    with first:
        cell = by_id[choose("cell", "Cascades of", list(by_id), format=lambda id_: _named(by_id[id_]))]
    largest = _cascades(cell, people)
    if largest.empty:
        st.info("Nobody passed on or answered any post in this cell.")
        return
    told = {
        int(post): f"post {post} by {author}, {nodes} nodes"
        for post, author, nodes in largest[["post_id", "author", "size"]].itertuples(index=False)
    }
    with second:
        post = choose("post", "Post", list(told), format=told.__getitem__)
    with third:
        tree = choose("tree", "A share hangs on", list(_TREES), format=_TREES.__getitem__)
    trees = _trees(cells, people, cell, post, inferred=tree == "follows")
    title = f"Cascade of seed post {post} under every condition of seed {cell.key.seed}"
    _tree({by_id[id_].key: tree for id_, tree in trees.items()}, title, run.manifest["sides"])
    with st.expander("The largest cascades of this cell"):
        show_table(largest, f"cascades-{cell.key.id}")


def _tree(trees: Mapping[CellKey, Plotted], title: str, sides: Sequence[str]) -> None:
    keys, drawn = list(trees), list(trees.values())
    shown = drawn[0].title if len(drawn) == 1 else title
    figure = tree_chart({key.condition: tree for key, tree in trees.items()}, shown, sides)
    chosen = pick_points(figure, "cascade-tree", " ".join(tree.alt for tree in drawn))
    if not chosen:
        st.caption("Click a node to read it.")
    for point in chosen:
        panel, number = point["customdata"]
        node = drawn[panel].frame.iloc[number]
        st.markdown(plain(f"{node['kind']} by @{node['author']} ({node['side']}), step {node['step']}"))
        st.text(node["text"])
        link(f"All about @{node['author']}", "agent", cell=keys[panel].id, agent=str(node["user_id"]))


def _cells(run: RunDir, size: int, seed: int | None) -> list[CellDir]:
    """Cells to show posts of, after saying which conditions have none."""
    if silent := cascades.silent_conditions(run, size):
        st.info(
            plain(
                f"Nobody writes under {', '.join(silent)}: opinion models have stances and no posts. Conditions with "
                "language agents, such as shared_base, have both."
            )
        )
    return [cell for cell in cascades.written_cells(run, size) if seed is None or cell.key.seed == seed]


def _named(cell: CellDir) -> str:
    return f"{cell.key.condition}, seed {cell.key.seed}"
