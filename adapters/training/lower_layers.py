"""What enters the first layer with an adapter: the same at every step, so computed once and kept.

Below the first adapted layer the base alone decides, and gradients have nothing to do there. The states of a row are
computed when a wave of users begins, a beginning that a user's rows share only once, and every epoch reads them again.
Rows for which the budget has no room are computed anew each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from adapters.bases.decoder import Decoder, packed_attend
from adapters.lora.packed_attention import AttentionPlan
from adapters.lora.packing import Packed, pack

Row = tuple[int, ...]


class LowerLayers:
    """The layers 0 … first − 1 of a frozen base.

    Args:
        model: the base; these layers carry no adapter.
        first: index of the first layer with an adapter; at 0 the states are the embeddings and not worth keeping.
        budget: bytes of states to keep at most.
    """

    def __init__(self, model: PreTrainedModel, first: int, budget: float) -> None:
        self._decoder = Decoder(model)
        self._first = first
        embedding = model.get_input_embeddings().weight
        self._nothing = embedding.new_empty(0, embedding.shape[1])
        self._room = int(budget / (embedding.shape[1] * embedding.element_size()))
        self._kept = self._nothing
        self._homes: dict[Row, NDArray[np.int64]] = {}

    @property
    def tokens_kept(self) -> int:
        """Token positions whose states are kept."""
        return len(self._kept)

    @torch.no_grad()
    def keep(self, passes: Iterable[Sequence[Sequence[Row]]]) -> None:
        """Compute and keep the states of rows, in place of those kept so far, until there is no more room.

        Args:
            passes: the groups of each forward pass; rows of a group may share their beginning.
        """
        self._kept, self._homes = self._nothing, {}
        if not self._first:
            return
        fitting: list[Packed] = []
        total = 0
        for groups in passes:
            packed = pack(groups, device=self._nothing.device)
            if total + packed.total > self._room:
                break
            rows = (row for group in groups for row in group)
            self._homes |= {row: total + home for row, home in zip(rows, packed.homes, strict=True)}
            fitting.append(packed)
            total += packed.total
        self._kept = self._nothing.new_empty(total, self._nothing.shape[1])
        for packed, into in zip(fitting, self._kept.split([p.total for p in fitting]), strict=True):
            into.copy_(self._walk(packed))

    @torch.no_grad()
    def states(self, packed: Packed, groups: Sequence[Sequence[Row]]) -> Tensor:
        """What enters layer `first` for a packed batch of these groups, [total, d]."""
        if not self._first:
            return self._walk(packed)
        missing = [[row for row in group if row not in self._homes] for group in groups]
        if missing == [list(group) for group in groups]:
            return self._walk(packed)
        places = np.empty(packed.total, dtype=np.int64)
        homes, fresh = self._homes, self._nothing
        if any(missing):
            apart = pack([group for group in missing if group], device=fresh.device)
            fresh = self._walk(apart)
            rows = (row for group in missing for row in group)
            new = {row: len(self._kept) + home for row, home in zip(rows, apart.homes, strict=True)}
            homes = homes | new
        for row, home in zip((row for group in groups for row in group), packed.homes, strict=True):
            places[home] = homes[row]
        return self._gathered(places, fresh)

    def _gathered(self, places: NDArray[np.int64], fresh: Tensor) -> Tensor:
        """States at places that count on from the kept ones into the fresh ones."""
        kept = places < len(self._kept)
        at = torch.from_numpy(np.where(kept, places, places - len(self._kept))).to(fresh.device)
        if kept.all():
            return torch.index_select(self._kept, 0, at)
        from_kept = torch.from_numpy(kept).to(fresh.device)
        states: Tensor = self._nothing.new_empty(len(places), self._nothing.shape[1])
        states[from_kept] = self._kept[at[from_kept]]
        states[~from_kept] = fresh[at[~from_kept]]
        return states

    def _walk(self, packed: Packed) -> Tensor:
        hidden = self._decoder.embed(packed.input_ids)
        if self._first:
            angles = self._decoder.angles(hidden, packed.position_ids)
            attend = packed_attend(AttentionPlan.of(packed))
            hidden = self._decoder.run(hidden, angles, attend, last=self._first)
        return hidden.squeeze(0)
