"""Every random number of a run comes from here: one root seed, one independent stream for each purpose."""

from __future__ import annotations

import hashlib

import numpy as np


def _key(part: str | int) -> int:
    if isinstance(part, int):
        if part < 0:
            raise ValueError(f"purpose: got {part}; expected a name or a number of at least 0")
        return part
    return int.from_bytes(hashlib.sha256(part.encode()).digest()[:4], "little")


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """The stream of `purpose` under `seed`: the same arguments give the same numbers, others are independent.

    Conditions are never part of a purpose: that is what pairs them.

    Args:
        seed: at least 0.
        purpose: names and whole numbers of at least 0, such as `("feed", step)`.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(map(_key, purpose))))


def request_seed(seed: int, step: int, agent_id: int) -> int:
    """The decoding seed of one request, below 2³¹; the same in every condition."""
    sequence = np.random.SeedSequence(seed, spawn_key=(_key("decoding"), step, agent_id))
    return int(sequence.generate_state(1, np.uint32)[0] >> 1)
