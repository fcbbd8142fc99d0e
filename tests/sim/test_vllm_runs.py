"""One scenario, two engines: a run over a vLLM-like server, what it leaves behind, and what faults do to it."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from adapters.bases.loader import Base, load_base, open_base
from adapters.engines.vllm.client.backoff import Backoff
from adapters.engines.vllm.residency import shelf
from adapters.errors import AdapterError, ServerError, ServerLostError, StoreError
from adapters.lora.peft_io import write_peft
from adapters.lora.zero import zero_adapter
from adapters.store import AdapterStore
from sim.cli.app import app
from sim.experiment import run_experiment
from sim.progress import Silent
from sim.run_dir import RunDir, open_run
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from tests.adapters.engines.vllm.fake_server import (
    API_KEY,
    COMPLETIONS,
    Call,
    Die,
    Fail,
    FakeServer,
    Fault,
    Hang,
)
from tests.sim.conftest import SMALL

KEY = "PLURES_TEST_KEY"
LOCAL = Scenario.model_validate(
    {
        **as_plain(SMALL),
        "name": "served",
        "conditions": ["lora", "shared_base"],
        "seeds": [0],
        "simulation": {
            "steps": 2,
            "seed_posts": 6,
            "feed": {"size": 3},
            "sampling": {"temperature": 0, "max_new_tokens": 48},
        },
    }
)
LORA = LOCAL.model_copy(update={"conditions": ("lora",)})


def served(server: FakeServer, shelf: Path, scenario: Scenario = LORA, **more: Any) -> Scenario:
    """The same scenario on a server."""
    block = {"kind": "vllm", "url": server.url, "api_key_env": KEY, "folder": shelf, "timeout": 20, **more}
    return Scenario.model_validate({**as_plain(scenario), "engine": block})


def ledgers(run: RunDir) -> dict[str, pd.DataFrame]:
    return {cell.key.id: cell.ledger.read() for cell in run.cells()}


def same(here: pd.DataFrame, there: pd.DataFrame) -> None:
    """Equal ledgers; log-probabilities are sums of some thirty tokens, each within 1e-4."""
    pd.testing.assert_frame_equal(here.drop(columns="logprob"), there.drop(columns="logprob"))
    np.testing.assert_allclose(here["logprob"], there["logprob"], atol=3e-3)


@pytest.fixture(autouse=True)
def _reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers' key is set, and nobody waits between attempts."""
    monkeypatch.setenv(KEY, API_KEY)
    monkeypatch.setattr(Backoff, "wait", lambda *_: 0.0)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, small_store: Path) -> RunDir:
    """The undisturbed run in this process."""
    return run_experiment(LOCAL, tmp_path_factory.mktemp("runs") / "local", store=small_store)


@pytest.fixture(scope="module")
def own_base() -> Base:
    """Of one fake server after the other."""
    return load_base("tiny-moe")


@pytest.fixture
def server(own_base: Base) -> Iterator[FakeServer]:
    with FakeServer(own_base) as running:
        yield running


@pytest.fixture
def store(local: RunDir, small_store: Path) -> Path:
    """A store that holds every adapter needed."""
    return small_store


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After a call, reading a base's weights is an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("the base's weights were read")

    return lambda: monkeypatch.setattr("adapters.bases.weights._read", refuse)


def test_the_same_scenario_gives_the_same_decisions_on_a_server(
    local: RunDir, store: Path, server: FakeServer, no_weights: Callable[[], None], tmp_path: Path
) -> None:
    """And where the store has every adapter, this process reads no weights."""
    no_weights()
    run = run_experiment(served(server, tmp_path / "shelf", LOCAL), tmp_path / "run", store=store)
    for cell, ledger in ledgers(run).items():
        same(ledger, ledgers(local)[cell])
    pd.testing.assert_frame_equal(run.read_metrics(), local.read_metrics(), atol=1e-3)
    usage = run.read_usage()
    assert {**usage, "seconds": 0} == {**local.read_usage(), "seconds": 0}
    _check_manifest(run, server)


def _check_manifest(run: RunDir, server: FakeServer) -> None:
    """It says what served, and no secret."""
    assert run.manifest["engine"] == {
        "kind": "vllm",
        "urls": [server.url],
        "version": "0.27.1",
        "max_loras": 64,
    }
    for file in (run.manifest_file, run.report_file):
        assert API_KEY not in file.read_text("utf-8")


class _Nth:
    """The n-th call of a kind, and with `on` all after it."""

    def __init__(self, n: int, *, on: bool = False) -> None:
        self.n, self.on, self.seen = n, on, 0

    def __call__(self, call: Call) -> bool:
        self.seen += 1
        return self.seen == self.n or (self.on and self.seen > self.n)


def first_calls(local: RunDir, step: int) -> int:
    """Completions that a run has asked for before a step: a reply and its score each, beside the two probes."""
    ledger = ledgers(local)["lora-n8-s0"]
    return 2 + 2 * int((ledger["step"] < step).sum())


HANGS = pytest.param(Hang(), id="hangs", marks=pytest.mark.slow)
"""A run that waits in vain: for so long that a busy machine, too, answers everything else in that time."""
PATIENCE = 6.0


@pytest.mark.parametrize(
    "fault", [pytest.param(Die(), id="killed"), pytest.param(Fail(500), id="errors"), HANGS]
)
def test_a_server_lost_in_a_step_stops_the_run_and_it_resumes_to_the_same_ledger(
    fault: Fault, local: RunDir, store: Path, server: FakeServer, tmp_path: Path
) -> None:
    """One clear message, nothing of the step in the ledger, nothing counted twice."""
    out = tmp_path / "run"
    server.plan(fault, COMPLETIONS, times=inf, when=_Nth(first_calls(local, 2) + 3, on=True))
    with pytest.raises(ServerLostError, match=r"the vLLM server is lost.*--resume"):
        run_experiment(served(server, tmp_path / "shelf", timeout=PATIENCE), out, store=store)
    stopped = open_run(out)
    assert stopped.state == "interrupted"
    assert set(ledgers(stopped)["lora-n8-s0"]["step"]) == {1}
    server.heal()
    with ExitStack() as stack:
        new = stack.enter_context(FakeServer(load_base("tiny-moe"))) if isinstance(fault, Die) else server
        run = run_experiment(served(new, tmp_path / "other"), out, store=store, resume=True)
    same(ledgers(run)["lora-n8-s0"], ledgers(local)["lora-n8-s0"])
    assert run.read_usage()["requests"] == len(ledgers(run)["lora-n8-s0"])


@pytest.mark.parametrize("fault", [pytest.param(Fail(500), id="errors"), HANGS])
def test_a_fault_at_one_request_is_a_row_of_the_ledger(
    fault: Fault, local: RunDir, store: Path, server: FakeServer, tmp_path: Path
) -> None:
    undisturbed = ledgers(local)["lora-n8-s0"]
    first = undisturbed.iloc[0]

    def of_first(call: Call) -> bool:
        return call.body["max_tokens"] > 8 and call.body["seed"] == first["seed"]

    server.plan(fault, COMPLETIONS, times=inf, when=of_first)
    run = run_experiment(served(server, tmp_path / "shelf", timeout=PATIENCE), tmp_path / "run", store=store)
    ledger = ledgers(run)["lora-n8-s0"]
    assert list(ledger["outcome"][ledger["outcome"].str.startswith("engine")]) == ["engine_engine"]
    assert (ledger["outcome"][0], ledger["ok"][0], ledger["reply"][0]) == ("engine_engine", False, "")
    at_once = ledger["step"] == 1
    assert list(ledger["reply"][at_once])[1:] == list(undisturbed["reply"][at_once])[1:]
    assert run.read_usage()["requests"] == len(ledger)


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(
    local: RunDir, store: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write, written = shelf.write_files, []

    def until_full(folder: Path, *rest: Any, **more: Any) -> Any:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        written.append(folder)
        return write(folder, *rest, **more)

    monkeypatch.setattr(shelf, "write_files", until_full)
    scenario, out = served(server, tmp_path / "shelf"), tmp_path / "run"
    with pytest.raises(StoreError, match="No space left on device"):
        run_experiment(scenario, out, store=store)
    assert open_run(out).state == "failed"
    assert ledgers(open_run(out))["lora-n8-s0"].empty
    assert all((entry / "adapter_config.json").exists() for entry in (tmp_path / "shelf").glob("[!.]*"))
    monkeypatch.undo()
    monkeypatch.setenv(KEY, API_KEY)
    run = run_experiment(scenario, out, store=store, resume=True)
    same(ledgers(run)["lora-n8-s0"], ledgers(local)["lora-n8-s0"])


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another base": ({"served_name": "tiny-moe@000000000000"}, {}, "is not base 'tiny-moe'"),
    "no loading": ({"runtime_loading": False}, {}, "VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
    "rank": ({"max_lora_rank": 1}, {}, "rank"),
    "key": ({"api_key": "another"}, {}, "does not accept the API key"),
    "no key": ({}, {"api_key_env": "PLURES_NOT_SET"}, "PLURES_NOT_SET is not set"),
    "unseen folder": ({}, {"server_folder": "/nowhere/at/all"}, "cannot see /nowhere/at/all"),
    "nobody there": ({}, {"url": "http://127.0.0.1:9"}, "no vLLM server answers"),
    "nothing loaded": ({}, {"adapters": "loaded", "folder": None}, "serves no adapter called zero"),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_server_that_cannot_serve_this_scenario_is_found_out_before_anything_is_trained(
    case: str, own_base: Base, no_weights: Callable[[], None], tmp_path: Path
) -> None:
    of_server, of_block, message = WRONG[case]
    with FakeServer(own_base, **of_server) as server:
        no_weights()
        with pytest.raises(AdapterError, match=message):
            run_experiment(
                served(server, tmp_path / "shelf", **of_block), tmp_path / "run", store=tmp_path / "store"
            )
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_two_servers_give_what_one_gives(
    local: RunDir, store: Path, server: FakeServer, tmp_path: Path
) -> None:
    with FakeServer(load_base("tiny-moe")) as second:
        urls = {"url": None, "urls": [server.url, second.url]}
        run = run_experiment(served(server, tmp_path / "shelf", **urls), tmp_path / "run", store=store)
        assert server.bodies()
        assert second.bodies()
    same(ledgers(run)["lora-n8-s0"], ledgers(local)["lora-n8-s0"])
    assert run.manifest["engine"]["urls"] == [server.url, second.url]


def test_adapters_that_a_server_holds_already_are_used_by_their_names(
    local: RunDir, store: Path, server: FakeServer, tmp_path: Path
) -> None:
    """And one that it does not hold is a failure of those who carry it."""
    opened, base = AdapterStore(store), open_base("tiny-moe")
    write_peft(zero_adapter(base.skeleton, LORA.adapters.spec), tmp_path / "zero", base_ref="base")
    server.model.load({"lora_name": "zero", "lora_path": str(tmp_path / "zero")})
    *held, missing = sorted(local.manifest["adapters"]["own"].values())
    for revision in held:
        write_peft(opened.open(revision), tmp_path / revision, base_ref="base")
        server.model.load({"lora_name": revision, "lora_path": str(tmp_path / revision)})
    scenario = served(server, tmp_path / "shelf", adapters="loaded")
    run = run_experiment(scenario, tmp_path / "run", store=store)
    ledger = ledgers(run)["lora-n8-s0"]
    unknown = ledger["outcome"] == "engine_unknown_adapter"
    assert set(ledger["adapter"][unknown]) == {missing}
    first = ledger["step"] == 1
    there = ledgers(local)["lora-n8-s0"]
    assert list(ledger["reply"][first & ~unknown]) == list(there["reply"][(there["step"] == 1) & ~unknown])
    assert not (tmp_path / "shelf").exists()


class _OwnServer:
    """In place of a started process: a server inside this one, with what a run sees of its life."""

    def __init__(self, base: Base) -> None:
        self.fake, self.folders = FakeServer(base), list[Path]()
        self.started = self.stopped = 0

    def start(self, settings: Any, env: Path, *, log: Path, on_progress: Callable[[float, str], None]) -> Any:
        self.started += 1
        self.settings, self.folder = settings, log.parent
        on_progress(1.5, "loading")
        return SimpleNamespace(
            url=self.fake.url,
            api_key=API_KEY,
            log=log,
            record=SimpleNamespace(
                version="0.27.1", max_lora_rank=settings.max_lora_rank, targets=settings.targets
            ),
            stop=self.stop,
        )

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def own(own_base: Base, monkeypatch: pytest.MonkeyPatch) -> Iterator[_OwnServer]:
    server = _OwnServer(own_base)
    found = SimpleNamespace(device="cpu", path=Path("env"), version="0.27.1")
    monkeypatch.setattr("sim.vllm_engines._environment", lambda: found)
    monkeypatch.setattr("adapters.engines.vllm.server.server.start_server", server.start)
    with server.fake:
        yield server


THREADS = torch.get_num_threads()  # as the other runs here, whose bits are compared
OWN = Scenario.model_validate(
    {**as_plain(LORA), "engine": {"kind": "vllm", "max_loras": 4, "threads": THREADS, "timeout": 20}}
)


def test_a_server_of_its_own_is_started_for_the_run_and_stopped(
    local: RunDir, store: Path, own: _OwnServer, no_weights: Callable[[], None], tmp_path: Path
) -> None:
    no_weights()
    run = run_experiment(OWN, tmp_path / "run", store=store)
    assert (own.started, own.stopped) == (1, 1)
    assert (own.settings.base, own.settings.max_loras, own.settings.rank) == ("tiny-moe", 4, 4)
    assert own.settings.threads == THREADS
    assert not list(run.path.glob("adapters-*"))
    assert run.manifest["engine"]["urls"] == []
    same(ledgers(run)["lora-n8-s0"], ledgers(local)["lora-n8-s0"])


class _Interrupts(Silent):
    def advance(self, task: str, done: int, note: str = "") -> None:
        if (task, done) == ("lora-n8-s0", 1):
            raise KeyboardInterrupt


def test_a_server_of_its_own_is_stopped_on_ctrl_c_and_on_failure(
    store: Path, own: _OwnServer, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(OWN, out, store=store, watcher=_Interrupts())
    assert (own.started, own.stopped, open_run(out).state) == (1, 1, "interrupted")
    own.fake.plan(Die(), when=_Nth(5))
    with pytest.raises(ServerLostError, match=r"Its log is .*server\.log"):
        run_experiment(OWN, out, store=store, resume=True)
    assert (own.started, own.stopped, open_run(out).state) == (2, 2, "interrupted")
    assert not list(out.glob("adapters-*"))


def test_weights_that_trained_are_let_go_before_a_server_starts(
    own: _OwnServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bases: list[Base] = []

    def opened(*args: Any, **more: Any) -> Base:
        bases.append(open_base(*args, **more))
        return bases[-1]

    start = own.start

    def checked(*args: Any, **more: Any) -> Any:
        assert [base.weights.loaded for base in bases] == [False]
        return start(*args, **more)

    monkeypatch.setattr("adapters.bases.loader.open_base", opened)
    monkeypatch.setattr("adapters.engines.vllm.server.server.start_server", checked)
    run_experiment(OWN, tmp_path / "run", store=tmp_path / "store")
    assert own.started == 1


def test_without_a_vllm_environment_the_run_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLURES_VLLM_ENV", str(tmp_path / "none"))
    with pytest.raises(ServerError, match=r"plures serve install --env"):
        run_experiment(OWN, tmp_path / "run", store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_opinion_models_alone_read_no_weights(no_weights: Callable[[], None], tmp_path: Path) -> None:
    scenario = Scenario.model_validate(
        {
            **as_plain(LOCAL),
            "conditions": ["degroot", "lorenz"],
            "compare": {"treatment": "lorenz", "control": "degroot"},
        }
    )
    no_weights()
    run = run_experiment(scenario, tmp_path / "run", store=tmp_path / "store")
    assert run.state == "done"
    assert "engine" not in run.manifest


def test_the_command_line_says_it_in_one_message(store: Path, server: FakeServer, tmp_path: Path) -> None:
    """With the way on, and with exit status 2."""
    (tmp_path / "s.yaml").write_text(json.dumps(as_plain(served(server, tmp_path / "shelf"))))
    server.plan(Die(), when=_Nth(5))
    words = [
        "run",
        str(tmp_path / "s.yaml"),
        "--out",
        str(tmp_path / "run"),
        "--store",
        str(store),
        "--quiet",
    ]
    ended = CliRunner().invoke(app, words)
    assert isinstance(ended.exception, ServerLostError)
    assert "--resume" in str(ended.exception)
