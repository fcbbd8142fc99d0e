"""The scenario's engine block: what it takes, what it refuses, and what may change when a run goes on."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.bases.int8 import exact_products
from adapters.bases.loader import open_base
from adapters.engines.protocol import GenerateRequest, Message, Sampling
from adapters.store import AdapterStore
from sim.engine_blocks import WHERE_AND_HOW_FAST, LocalEngineBlock, VllmEngineBlock
from sim.engines import check_engine, engine_record, open_engine
from sim.errors import ScenarioError
from sim.scenario import Scenario
from sim.scenario_file import load_scenario, scenario_from


def scenario(engine: object, tmp_path: Path, **more: object) -> Scenario:
    return scenario_from({"name": "x", "engine": engine, **more}, (), folder=tmp_path)


def test_a_block_without_a_kind_is_local(tmp_path: Path) -> None:
    assert scenario({"max_slots": 3}, tmp_path).engine == LocalEngineBlock(max_slots=3)
    assert scenario_from({"name": "x"}, (), folder=tmp_path).engine == LocalEngineBlock()


def test_one_override_changes_the_engine(tmp_path: Path) -> None:
    changed = scenario_from({"name": "x"}, ["engine.kind=vllm"], folder=tmp_path)
    assert changed.engine == VllmEngineBlock(kind="vllm")
    assert changed.model_copy(update={"engine": LocalEngineBlock()}) == Scenario(name="x")


def test_addresses_come_without_the_v1_that_many_write(tmp_path: Path) -> None:
    block = {"kind": "vllm", "urls": ["http://a:1/v1/", "https://b/x"], "folder": "shelf"}
    engine = scenario(block, tmp_path).engine
    assert isinstance(engine, VllmEngineBlock)
    assert engine.servers == ("http://a:1", "https://b/x")
    assert engine.folder == tmp_path / "shelf"


SERVER = {"kind": "vllm", "url": "http://a:1", "folder": "shelf"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "vlm"}, "engine: got"),
    ({**SERVER, "url": "a:1"}, r"engine\.url: got 'a:1'; expected an address such as"),
    ({**SERVER, "url": "http://me:secret@a:1"}, r"engine\.url: holds a user or a password"),
    ({**SERVER, "urls": ["http://b:1"]}, "urls: url is set as well"),
    ({"kind": "vllm", "urls": ["http://b:1", "http://b:1/v1"], "folder": "s"}, "expected every server once"),
    ({"kind": "vllm", "url": "http://a:1"}, "folder: missing; name a folder"),
    ({"kind": "vllm", "folder": "shelf"}, "folder: is for a server that runs already"),
    ({"kind": "vllm", "api_key_env": "KEY"}, "api_key_env: is for a server that runs already"),
    ({"kind": "vllm", "adapters": "loaded"}, "adapters: loaded is for a server that runs already"),
    ({**SERVER, "api_key_env": "sk-12 34"}, r"engine\.api_key_env"),
    ({"kind": "vllm", "url": "http://a:1", "adapters": "loaded", "server_folder": "/x"}, "needs folder"),
    ({**SERVER, "max_loras": 8, "max_cpu_loras": 4}, "max_cpu_loras: got 4; expected at least max_loras, 8"),
    ({**SERVER, "max_slots": 8}, r"engine\.max_slots: unknown key\. Did you mean max_loras\?"),
    ({"kind": "local", "max_loras": 8}, r"engine\.max_loras: unknown key\. Did you mean max_slots\?"),
    (
        {"weights": "int8", "dtype": "bfloat16"},
        "weights: int8 is for device cpu and dtype float32; got cpu and",
    ),
    ({"weights": "int8", "device": "cuda"}, "got cuda and float32. Delete one of these keys"),
    ({"kind": "vllm", "weights": "int8"}, r"engine\.weights: unknown key"),
]


@pytest.mark.parametrize(("engine", "message"), WRONG)
def test_a_mistake_is_named_with_its_cure(engine: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        scenario(engine, tmp_path)
    assert "secret" not in str(caught.value)


def test_tool_calling_needs_a_server(tmp_path: Path) -> None:
    calling = {"policy": "tool_calling"}
    with pytest.raises(ScenarioError, match=r"simulation\.policy: tool_calling needs a server"):
        scenario({}, tmp_path, simulation=calling)
    assert scenario(SERVER, tmp_path, simulation=calling).simulation.policy == "tool_calling"


def test_keys_that_may_change_on_resuming_exist() -> None:
    known = {f"engine.{key}" for block in (LocalEngineBlock, VllmEngineBlock) for key in block.model_fields}
    assert known >= WHERE_AND_HOW_FAST
    assert not {"engine.kind", "engine.dtype", "engine.weights", "engine.context"} & WHERE_AND_HOW_FAST


@pytest.mark.skipif(not exact_products(), reason="this processor has no exact 8-bit products")
def test_weights_in_int8_take_the_place_of_those_that_training_used(tmp_path: Path) -> None:
    """The float32 weights are let go; the manifest says what answers."""
    asked = scenario({"weights": "int8"}, tmp_path)
    base = open_base("tiny-moe")
    check_engine(asked, base)
    assert base.weights.loaded
    with closing(open_engine(asked, base, AdapterStore(tmp_path / "store"))) as engine:
        assert not base.weights.loaded
        prompt = base.encoder.prompt_ids([Message("user", "hello")])
        (reply,) = engine.generate([GenerateRequest("1", prompt, None, Sampling(4))])
        assert reply.error is None
        assert engine_record(asked.engine, engine)["weights"] == "int8"


def test_the_shipped_example_is_quickstart_with_another_engine() -> None:
    """One block of YAML is all that differs."""
    local, served = (load_scenario(Path("scenarios") / f"{name}.yaml") for name in ("quickstart", "served"))
    same = {"name": "x", "description": "x", "engine": LocalEngineBlock()}
    assert served.model_copy(update=same) == local.model_copy(update=same)
    assert isinstance(served.engine, VllmEngineBlock)
