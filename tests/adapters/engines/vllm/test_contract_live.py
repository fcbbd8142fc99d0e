"""The contract of engines, kept by the engine on a real vLLM server."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.bases.loader import Base, load_base
from adapters.engines.vllm.client.client import Endpoint
from adapters.engines.vllm.engine import VllmEngine
from adapters.engines.vllm.server.server import Server
from adapters.lora.adapter import Adapter
from tests.adapters.engines.random_adapters import Shelf, random_adapter
from tests.adapters.engines.test_contract import (  # noqa: F401 - collected here, with the engine below
    test_an_empty_batch_is_an_empty_answer,
    test_an_id_used_twice_is_an_error_for_both,
    test_closing_twice_is_closing_once_and_ends_the_work,
    test_equal_seeds_repeat_a_reply,
    test_errors_are_values_of_the_protocol,
    test_every_token_has_a_logprob,
    test_finished_replies_obey_the_grammar,
    test_one_bad_request_fails_alone_and_says_why,
    test_replies_end_by_the_end_token_or_by_their_length,
    test_results_come_in_the_order_of_requests,
    test_scores_have_one_logprob_per_token,
)
from tests.adapters.engines.vllm.serving import open_engine

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def base() -> Base:
    """The tiny base, held to the context that the contract's cases count on."""
    base = load_base("tiny-moe")
    config = copy.deepcopy(base.config)
    config.max_position_embeddings = 256
    return replace(base, config=config)


@pytest.fixture(scope="module")
def adapters(base: Base) -> dict[str, Adapter]:
    return {f"rev-{i}": random_adapter(base.model, 100 + i) for i in range(3)}


@pytest.fixture
def engine(
    base: Base, adapters: dict[str, Adapter], live_server: Server, tmp_path: Path
) -> Iterator[VllmEngine]:
    at = Endpoint(live_server.url, live_server.api_key)
    engine = open_engine(base, at, Shelf(adapters), tmp_path / "shelf", max_loras=2)
    yield engine
    engine.close()
