"""What a result depends on beyond the scenario: versions, machine, base."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = (
    "plures",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "camel-oasis",
    "llguidance",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "igraph",
)


def versions() -> dict[str, str]:
    """Python's version and those of the packages that can change a result."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores and memory of this machine, and the threads torch uses."""
    import torch

    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "torch_threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
