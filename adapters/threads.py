"""How many threads this process computes with on a CPU."""

from __future__ import annotations

import os
import warnings

from adapters.errors import AdapterError

_VARIABLE = "OMP_NUM_THREADS"


def use_threads(threads: int | None = None) -> int:
    """Have torch use so many threads from now on, in the whole process; training and serving alike.

    Args:
        threads: at least 1; None takes what the environment variable OMP_NUM_THREADS says, or else the physical cores
            that are open to this process. A core's second hardware thread adds nothing to products of matrices.

    Returns:
        How many they are.

    Raises:
        AdapterError: OMP_NUM_THREADS is no number from 1 up.
    """
    import torch

    chosen = threads or _from_environment() or usable_cores()
    torch.set_num_threads(chosen)
    return chosen


def usable_cores() -> int:
    """Physical cores that the machine, the process's affinity and its container's CPU quota leave to it."""
    from joblib import cpu_count

    with warnings.catch_warnings():
        # Where cores cannot be told from hardware threads, these are counted.
        warnings.simplefilter("ignore", UserWarning)
        return int(cpu_count(only_physical_cores=True))


def _from_environment() -> int | None:
    """OpenMP takes a list, one number for each level of nesting; the first is ours."""
    value = os.environ.get(_VARIABLE, "")
    if not value:
        return None
    first = value.split(",")[0].strip()
    if not first.isdecimal() or int(first) < 1:
        raise AdapterError(
            f"{_VARIABLE}: got {value!r}; expected a whole number from 1 up, or no such variable"
        )
    return int(first)
