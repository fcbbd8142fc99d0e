"""Importing OASIS leaves no trace: checked in fresh processes, since a process imports it once."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from sim.errors import PlatformError
from sim.oasis_import import LOGGERS, _import_quietly, load_oasis, oasis_logs

ROOT = Path(__file__).parents[2]

FRESH = """
import json, logging, os, sys, warnings
import sim.platform
assert "oasis" not in sys.modules and "torch" not in sys.modules, "importing the platform must do no work"
warnings.simplefilter("error")
filters, here = list(warnings.filters), os.getcwd()
from sim.platform import Account, Platform
with Platform.open(":memory:", [Account("ana")]) as platform:
    platform.seed_posts([(0, "hello")])
import oasis.social_platform.recsys as recsys
logging.getLogger("social.twitter").warning("into the void")
print(json.dumps({
    "folder": os.listdir("."),
    "stayed": os.getcwd() == here,
    "filters": warnings.filters == filters,
    "root handlers": len(logging.root.handlers),
    "models": [recsys.model, recsys.twhin_model, recsys.twhin_tokenizer],
}))
"""


def test_a_fresh_process_is_left_as_it_was(tmp_path: Path) -> None:
    """No folder, no output, no handlers, no filters, no models; warnings as errors do not get in the way."""
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "folder": [],
        "stayed": True,
        "filters": True,
        "root handlers": 0,
        "models": [None, None, None],
    }


def test_a_missing_package_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "oasis", None)
    with pytest.raises(PlatformError, match="pip install camel-oasis"):
        _import_quietly.__wrapped__()


def test_logs_go_to_the_named_file_and_only_while_asked(tmp_path: Path) -> None:
    file = tmp_path / "oasis.log"
    with oasis_logs(file):
        logging.getLogger("social.twitter").info("kept")
    logging.getLogger("social.twitter").info("lost")
    assert "INFO" in file.read_text() and "kept" in file.read_text() and "lost" not in file.read_text()


def test_outside_the_block_no_logger_writes_anywhere() -> None:
    load_oasis()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        assert not logger.propagate
        assert [type(h) for h in logger.handlers] == [logging.NullHandler]
