"""How much attention every post of a run got, read from the platforms of its finished cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from metrics.cascade import likes_per_post
from metrics.engagement import engagements
from metrics.heavy_tail import PowerLawFit, fit_power_law
from sim.platform_tables import read_tables
from sim.rng import generator
from sim.run_dir import RunDir

COLUMNS = ["condition", "seed", "post_id", "likes", "engagements"]


def post_attention(run: RunDir, size: int | None = None) -> pd.DataFrame:
    """Likes and engagements of every post and quote at the end of every finished cell of a size.

    Cells without a platform, in which nobody writes, give no rows.

    Args:
        run: any part of it finished.
        size: of the population; `run.finished_size` when None.

    Returns:
        Columns `condition`, `seed`, `post_id`, `likes`, `engagements` (likes, comments, reposts and quotes by
        others), in the order of cells.
    """
    size = run.finished_size if size is None else size
    parts = []
    for cell in run.cells():
        if cell.done and cell.key.size == size and cell.database.exists():
            tables = read_tables(cell.database)
            likes = likes_per_post(tables.posts, tables.likes)
            acts = engagements(tables.posts, tables.comments, tables.likes, tables.dislikes)
            engaged = acts["post_id"].value_counts().reindex(likes.index, fill_value=0)
            part = pd.DataFrame({"likes": likes, "engagements": engaged}).reset_index()
            parts.append(part.assign(condition=cell.key.condition, seed=cell.key.seed))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def engagement_tails(attention: pd.DataFrame) -> dict[str, PowerLawFit]:
    """The power-law fit of engagement per post of each condition, all seeds together.

    Args:
        attention: of `post_attention`.
    """
    return {
        str(condition): fit_power_law(
            rows["engagements"].to_numpy(dtype=np.int64), rng=generator(0, "power law", str(condition))
        )
        for condition, rows in attention.groupby("condition", sort=False)
    }
