"""OASIS, imported late and quietly.

Importing `oasis` writes a `./log` folder into the working directory, opens log files there, prints through a
handler that it hangs on the root logger, and takes seconds (torch, transformers and camel come along; about
two seconds where torch and transformers are loaded already). So it is imported once, on first use, inside a
temporary directory, and its handlers are taken down. Nothing is stubbed: all of OASIS works as usual.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import ModuleType

from sim.errors import PlatformError

LOGGERS = ("social.twitter", "social.agent", "social.rec", "oasis.env", "table", "camel")
_LOCK = threading.Lock()


def load_oasis() -> ModuleType:
    """Import `oasis`, the first time; later calls cost nothing.

    The working directory is a temporary one for as long as the import takes.

    Returns:
        The package, whose loggers write nowhere until `oasis_logs` says where.

    Raises:
        PlatformError: when it cannot be imported.
    """
    with _LOCK:
        return _import_quietly()


@functools.cache
def _import_quietly() -> ModuleType:
    root_handlers = list(logging.root.handlers)
    with tempfile.TemporaryDirectory(prefix="plures-oasis-") as folder, chdir(folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                oasis = importlib.import_module("oasis")
            except ImportError as error:
                raise PlatformError(
                    f"OASIS cannot be imported ({error}). Install it: pip install camel-oasis 'mcp<2'"
                ) from error
        for name in LOGGERS:
            _take_down(logging.getLogger(name))
    for handler in set(logging.root.handlers) - set(root_handlers):
        logging.root.removeHandler(handler)
    return oasis


def _take_down(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


@contextmanager
def oasis_logs(file: Path) -> Iterator[None]:
    """Send what OASIS logs to `file` (appending), for the length of a `with` block.

    Raises:
        OSError: when the file cannot be opened.
    """
    load_oasis()
    handler = logging.FileHandler(os.fspath(file), encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(levelname)s - %(asctime)s - %(name)s - %(message)s"))
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(handler)
        handler.close()
