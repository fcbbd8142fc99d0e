"""Keeping freed memory in the process while training: each step needs the same buffers again."""

from __future__ import annotations

import ctypes
import platform

# Parameters of mallopt(3), as glibc's malloc.h numbers them.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_MMAP_THRESHOLD = 32 << 20  # glibc refuses more
_KEEP_BYTES = 1 << 30


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep up to 1 GiB of freed memory instead of returning it to the system.

    Without this, every large tensor is mapped anew and each of its pages is faulted in and zeroed by
    the kernel: a tenth or more of the time of a training step on a CPU. The peak of memory stays the same; the
    setting holds for the rest of the process.

    Returns:
        Whether it took effect; False where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        & libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
    )
