"""`plures dashboard`: the dashboard's server, a process of its own that never loads a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LOCAL = "127.0.0.1"
VARIABLE = "PLURES_FOLDERS"
"""As in `dashboards.folders`, which is not imported from here."""
_OPTIONS = {
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "theme.base": "light",
    "theme.primaryColor": "#0a5c91",
    "theme.textColor": "#1a1a1a",
    "theme.secondaryBackgroundColor": "#f2f4f7",
    "theme.linkColor": "#0a5c91",
    "theme.baseFontSize": "15",
    "theme.headingFontSizes": '["1.9rem", "1.4rem", "1.15rem", "1rem", "1rem", "1rem"]',
}
"""Of Streamlit: no telemetry, no traceback in the page, colours with a contrast of at least 4.5 to 1."""


def dashboard(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders with runs, adapter stores and scenarios; default runs. Nothing outside of them is read.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the server.", min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen at. There is no log-in.")] = LOCAL,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
) -> None:
    """Look at runs in the browser: compare them, follow agents, start new ones. Ctrl-C ends it, not its runs.

    Example: plures dashboard runs scenarios --port 8600
    """
    import os
    import sys

    given = [folder.resolve() for folder in folders or [Path("runs")]]
    _check(given, host, port)
    if host not in (LOCAL, "localhost"):
        typer.echo(
            f"Listening at {host}: whoever reaches this machine there can read these runs and start new ones, "
            "for there is no log-in.",
            err=True,
        )
    typer.echo(f"Dashboard: http://{host}:{port}", err=True)
    environment = os.environ | environment_of(given)
    os.execve(sys.executable, command(host, port, browser=not no_browser), environment)


def command(host: str, port: int, *, browser: bool) -> list[str]:
    """The command line of the server.

    Args:
        host: address to listen at.
        port: of the server.
        browser: whether Streamlit opens one.
    """
    import sys
    from importlib.util import find_spec

    spec = find_spec("dashboards")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    script = Path(next(iter(spec.submodule_search_locations))) / "entry" / "start.py"
    options = _OPTIONS | {
        "server.address": host,
        "server.port": str(port),
        "server.headless": str(not browser).lower(),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(script), *flags]


def environment_of(folders: list[Path]) -> dict[str, str]:
    """What the server's environment holds besides: the folders that it may read."""
    import json

    return {VARIABLE: json.dumps([str(folder) for folder in folders])}


def _check(folders: list[Path], host: str, port: int) -> None:
    import socket

    from sim.errors import SimError

    for folder in folders:
        if not folder.is_dir():
            raise SimError(
                f"{folder}: no such folder. Make it (mkdir -p {folder}) or name the one with your runs."
            )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SimError(
                f"--host {host} --port {port}: {error.strerror}. Take another: --port {port + 1}"
            ) from error
