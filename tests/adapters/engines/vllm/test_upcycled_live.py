"""An upcycled base in Mixtral's layout says the same on a real vLLM server and here, with and without adapters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from adapters.bases.loader import Base, load_base
from adapters.bases.upcycling import expert_blocks, upcycle
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, Sampling
from adapters.engines.vllm.client.client import Endpoint
from adapters.engines.vllm.engine import VllmEngine
from adapters.engines.vllm.server.server import start_server
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.lora.spec import LoraSpec
from tests.adapters.engines.random_adapters import Shelf, random_adapter
from tests.adapters.engines.vllm.serving import open_engine
from tests.adapters.tiny import VOCAB, byte_tokenizer

pytestmark = pytest.mark.vllm

PEOPLE = 6
SHAPE = LlamaConfig(
    vocab_size=VOCAB,
    hidden_size=128,
    intermediate_size=96,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=256,
    initializer_range=0.05,  # at 0.1 rounding alone moves log-probabilities by 1e-4, against float64 as well
    tie_word_embeddings=True,  # as SmolLM2 has them
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A dense random model upcycled, its experts then moved apart as training would."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sparse = upcycle(LlamaForCausalLM(SHAPE).eval(), 4, 2, np.random.default_rng(0))
        with torch.no_grad():
            for block in expert_blocks(sparse):
                for parameter in block.parameters():
                    parameter.add_(0.02 * torch.randn_like(parameter))
    tokenizer = byte_tokenizer()
    sparse.config.eos_token_id = sparse.generation_config.eos_token_id = tokenizer.eos_token_id
    folder = tmp_path_factory.mktemp("upcycled")
    sparse.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_base(folder)


@pytest.fixture(scope="module")
def adapters(base: Base) -> Shelf:
    upper = LoraSpec(first_layer=1)
    return Shelf({f"rev-{i}": random_adapter(base.model, i, upper) for i in range(PEOPLE)})


@pytest.fixture(scope="module")
def engine(
    base: Base, adapters: Shelf, vllm_environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VllmEngine]:
    folder = tmp_path_factory.mktemp("served")
    settings = ServerSettings(base=str(base.path), max_loras=PEOPLE, context=256)
    with start_server(settings, vllm_environment, log=folder / "server.log") as server:
        at = Endpoint(server.url, server.api_key)
        engine = open_engine(base, at, adapters, folder, max_loras=PEOPLE)
        yield engine
        engine.close()


def test_replies_and_log_probabilities_are_those_of_the_local_engine(
    base: Base, adapters: Shelf, engine: VllmEngine
) -> None:
    prompts = np.random.default_rng(1).integers(0, 256, (3 * PEOPLE, 24)).tolist()
    asked = [
        GenerateRequest(
            f"r{i}", tuple(p), f"rev-{i % PEOPLE}" if i % 4 else None, Sampling(12, temperature=0)
        )
        for i, p in enumerate(prompts)
    ]
    local = LocalEngine(base, adapters, max_slots=PEOPLE)
    expected, got = local.generate(asked), engine.generate(asked)
    local.close()
    assert len({result.token_ids for result in expected}) > len(asked) / 2
    assert [replace(r, logprobs=()) for r in got] == [replace(r, logprobs=()) for r in expected]
    for one, other in zip(got, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
