"""The README's pictures: `python -m dashboards.screenshots` runs the quickstart if needed and photographs its pages."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import NamedTuple

from dashboards.browsing import HEIGHT, WIDTH, chromium, served, settle
from sim.errors import SimError

MOST_BYTES = 200_000
"""Of a picture: the repository is cloned by people on trains, too."""
_COMMAND = "from sim.cli.app import main; main()"


class Shot(NamedTuple):
    """One picture: its file, its page, and what stands in the address after `run`."""

    name: str
    page: str
    query: str = ""


SHOTS = (
    Shot("dashboard-compare.png", "compare", "&band=range"),
    Shot("dashboard-network.png", "network"),
)


def main() -> None:
    """Command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"), help="run directory to show")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="folder for the pictures")
    words = parser.parse_args()
    if not (words.run / "report.html").exists():
        run = ["run", "scenarios/quickstart.yaml", "--out", str(words.run), "--resume"]
        subprocess.run([sys.executable, "-c", _COMMAND, *run], check=True)
    words.out.mkdir(parents=True, exist_ok=True)
    for file in photograph(words.run, words.out):
        sys.stdout.write(f"{file}: {file.stat().st_size / 1000:.0f} kB\n")


def photograph(run: Path, out: Path) -> list[Path]:
    """Take all pictures of a run.

    Args:
        run: a finished run; the dashboard is given the folder that it lies in.
        out: where the files go.

    Returns:
        The files.

    Raises:
        SimError: when a page shows an error, or a picture is larger than `MOST_BYTES`.
    """
    folder = run.resolve().parent
    files = []
    with served([folder], out / ".server.log") as url, chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for shot in SHOTS:
            page.goto(f"{url}/{shot.page}?run={folder.name}/{run.name}{shot.query}")
            settle(page)
            if wrong := page.locator(
                '[data-testid="stException"], [data-testid="stAlertContentError"]'
            ).all_inner_texts():
                raise SimError(f"{shot.page}: shows {wrong[0]}")
            files.append(out / shot.name)
            page.screenshot(path=files[-1])
            if (size := files[-1].stat().st_size) > MOST_BYTES:
                raise SimError(f"{files[-1]}: {size} bytes; at most {MOST_BYTES}")
    (out / ".server.log").unlink()
    return files


if __name__ == "__main__":
    main()
