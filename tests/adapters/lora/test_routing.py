"""Look-ups worked out from slots."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.lora.routing import BASE_SLOT, RowRouting, SegmentRouting

CPU = torch.device("cpu")
N_SLOTS = 5
SLOTS = st.lists(st.integers(BASE_SLOT, N_SLOTS - 1), max_size=12)


@given(slots=SLOTS)
def test_row_look_ups_name_each_carrying_row_and_its_slot(slots: list[int]) -> None:
    routing = RowRouting.of(slots, N_SLOTS, CPU)
    active = range(len(slots)) if routing.active is None else routing.active.tolist()
    index = range(N_SLOTS) if routing.index is None else routing.index.tolist()
    expected = {row: slot for row, slot in enumerate(slots) if slot != BASE_SLOT}
    assert dict(zip(active, index, strict=True)) == expected
    assert routing.nothing == (bool(slots) and not expected)


@given(slots=SLOTS, data=st.data())
def test_tiles_give_each_token_its_own_slot_and_no_other(slots: list[int], data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(0, 90), min_size=len(slots), max_size=len(slots)))
    routing = SegmentRouting.of(slots, lengths, N_SLOTS, CPU)
    expected = [slot for slot, length in zip(slots, lengths, strict=True) for _ in range(length)]
    got = [BASE_SLOT] * routing.total
    end = 0
    for tiles in routing.parts:
        assert tiles.tokens.start == end
        end = tiles.tokens.stop
        own = ~tiles.others.squeeze(2)
        assert (own.sum(1) <= 1).all()
        for tile, place, offset in own.nonzero().tolist():
            slot = int(tiles.slots.view(tiles.n, -1)[tile, place])
            got[tiles.start + tile * tiles.length + offset] = slot
    assert got == expected
    assert end in (0, routing.total)


def test_all_slots_in_order_need_no_gather() -> None:
    routing = RowRouting.of(list(range(N_SLOTS)), N_SLOTS, CPU)
    assert routing.active is None
    assert routing.index is None
