"""A whole run of OASIS's own agents: every call a decision or a failure in the ledger, and it can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters.engines.vllm.client.backoff import Backoff
from adapters.errors import ServerError, ServerLostError
from sim.experiment import run_experiment
from sim.platform_tables import read_tables
from sim.run_dir import RunDir, open_run
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from tests.adapters.engines.vllm.fake_server import API_KEY, CHAT, Die, Fail, FakeServer
from tests.sim.conftest import SMALL
from tests.sim.tool_calling.conftest import Says, Scripted, is_agents

Follow = Callable[[Callable[[Mapping[str, Any]], Says | int]], Scripted]


def calling(server: FakeServer, tmp_path: Path) -> Scenario:
    return Scenario.model_validate(
        {
            **as_plain(SMALL),
            "name": "calling",
            "conditions": ["shared_base"],
            "compare": {"treatment": "shared_base", "control": "lora"},
            "seeds": [0],
            "simulation": {
                "steps": 2,
                "seed_posts": 6,
                "feed": {"size": 3},
                "policy": "tool_calling",
                "sampling": {"max_chars": 12},
            },
            "engine": {
                "kind": "vllm",
                "url": server.url,
                "api_key_env": "PLURES_TEST_KEY",
                "folder": tmp_path / "shelf",
            },
        }
    )


@pytest.fixture(autouse=True)
def _reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLURES_TEST_KEY", API_KEY)
    monkeypatch.setattr(Backoff, "wait", lambda *_: 0.0)


def ledger(run: RunDir) -> pd.DataFrame:
    return run.cells()[0].ledger.read()


def by_seed(body: Mapping[str, Any]) -> Says:
    """Something else for every request, the same whenever it is asked again."""
    feed = [line.split("]")[0][1:] for line in body["messages"][1]["content"].splitlines() if line[0] == "["]
    post = int(feed[0]) if feed else 1
    return (
        Says(calls=(("like_post", json.dumps({"post_id": post})),)),
        Says(calls=(("create_post", '{"content": "hello"}'),)),
        Says(calls=(("create_post", '{"content": "hello, hello, hello"}'),)),
        Says("I would like it"),
        Says(calls=(("do_nothing", "{}"), ("do_nothing", "{}"))),
        Says(calls=(("trend", "{}"),)),
        Says(calls=(("like_post", '{"post_id": 99}'),)),
        Says(calls=(("like_post", "post 1"),)),
    )[body["seed"] % 8]


def test_calls_are_applied_in_order_and_failures_are_rows(
    server: FakeServer, script: Follow, tmp_path: Path
) -> None:
    script(by_seed)
    run = run_experiment(calling(server, tmp_path), tmp_path / "run", store=tmp_path / "store")
    rows = ledger(run)
    expected = {
        2: "too_long",
        3: "no_tool_call",
        4: "several_tool_calls",
        5: "unknown_action",
        6: "invalid_target",
        7: "malformed",
    }
    for row in rows.itertuples():
        assert row.outcome in {"done", expected.get(row.seed % 8, "done")}, row
    assert set(rows["outcome"]) >= {"done"}
    assert rows["outcome"].nunique() > 3
    done = rows[rows["ok"]]
    likes = read_tables(run.cells()[0].database).likes
    assert (done["action"] == "like_post").sum() == len(likes)


def test_a_run_that_stopped_resumes_to_the_same_ledger(
    server: FakeServer, script: Follow, tmp_path: Path
) -> None:
    """Agents have no memory of earlier steps, so nothing is missing after a break."""
    scenario = calling(server, tmp_path)
    script(by_seed)
    whole = run_experiment(scenario, tmp_path / "whole", store=tmp_path / "store")
    server.heal()
    first = int((ledger(whole)["step"] == 1).sum())
    calls = iter(range(1000))
    script(lambda body: by_seed(body) if next(calls) < first else 500)
    with pytest.raises(ServerLostError):
        run_experiment(scenario, tmp_path / "run", store=tmp_path / "store")
    assert set(ledger(open_run(tmp_path / "run"))["step"]) == {1}
    server.heal()
    script(by_seed)
    resumed = run_experiment(scenario, tmp_path / "run", store=tmp_path / "store", resume=True)
    pd.testing.assert_frame_equal(ledger(resumed), ledger(whole))


def test_a_server_without_tools_is_found_out_before_anything_is_trained(
    server: FakeServer, tmp_path: Path
) -> None:
    server.plan(Fail(400), CHAT)
    with pytest.raises(ServerError, match=r"takes no tools.*--tool-parser hermes"):
        run_experiment(calling(server, tmp_path), tmp_path / "run", store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_server_that_dies_stops_the_run(server: FakeServer, script: Follow, tmp_path: Path) -> None:
    server.plan(Die(), CHAT, when=is_agents)
    with pytest.raises(ServerLostError):
        run_experiment(calling(server, tmp_path), tmp_path / "run", store=tmp_path / "store")
    assert open_run(tmp_path / "run").state == "interrupted"
    assert ledger(open_run(tmp_path / "run")).empty
