"""A base in 8 bits serves the adapters that were made for it in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from adapters.bases import quantisation
from adapters.bases.int8 import Int8Linear, Rounding, Whole, exact_products
from adapters.bases.loader import load_base, open_base
from adapters.bases.quantisation import check_int8, int8_base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, Sampling, ScoreRequest
from adapters.errors import BaseModelError
from adapters.lora.layers import StackedLora
from adapters.lora.spec import LoraSpec
from tests.adapters.engines.random_adapters import Shelf, random_adapter
from tests.adapters.tiny import ARCHITECTURES, write_base

needs_int8 = pytest.mark.skipif(not exact_products(), reason="this processor has no exact 8-bit products")


@needs_int8
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_all_linears_but_routers_are_in_8_bits_and_the_base_stays_as_it_was(
    kind: str, tmp_path: Path
) -> None:
    base = load_base(write_base(tmp_path / kind, kind))
    int8 = int8_base(base)
    assert int8.fingerprint == base.fingerprint
    linears = {path: m for path, m in int8.model.named_modules() if isinstance(m, nn.Linear)}
    routers = {path for path in linears if path.endswith((".mlp.gate", ".block_sparse_moe.gate"))}
    assert all(isinstance(linear, Int8Linear) == (path not in routers) for path, linear in linears.items())
    assert int8.model.get_input_embeddings().weight.dtype == torch.float32
    assert not any(isinstance(module, Int8Linear) for module in base.model.modules())
    assert bool(routers) == ("moe" in kind or "mixtral" in kind)


@needs_int8
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_engine_answers_alike_where_nothing_is_rounded_once_for_several(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: between linears that share an input the walk over the layers does not change it."""
    base = int8_base(load_base(write_base(tmp_path / kind, kind)))
    shelf = Shelf({"rev": random_adapter(base.model, 0)})
    attention = base.model.get_decoder().layers[0].self_attn
    assert attention.q_proj.rounding is attention.k_proj.rounding is attention.v_proj.rounding
    assert attention.o_proj.rounding is not attention.q_proj.rounding
    rounded, anew = [], Rounding.forward

    def counting(self: Rounding, x: Tensor) -> Whole:
        rounded.append(self._newest is not None and self._newest[0]() is x)
        return anew(self, x)

    def forgetting(self: Rounding, x: Tensor) -> Whole:
        self._newest = None
        return anew(self, x)

    answers = []
    for forward in (counting, forgetting):
        monkeypatch.setattr(Rounding, "forward", forward)
        engine = LocalEngine(base, shelf, max_slots=2)
        asked = [
            GenerateRequest(str(i), (5, 6, 7 + i), adapter, Sampling(max_new_tokens=6, temperature=0))
            for i, adapter in enumerate((None, "rev", "rev"))
        ]
        scored = engine.score([ScoreRequest("a", (5, 6), (7, 8, 9), "rev")])
        answers.append((scored, [(r.token_ids, r.logprobs) for r in engine.generate(asked)]))
        engine.close()
    assert answers[0] == answers[1]
    assert any(rounded)


@needs_int8
def test_adapters_of_the_base_in_float32_are_served_alike_in_8_bits(tiny_random_folder: Path) -> None:
    """Log-probabilities within a few hundredths; the adapters of different rows do not touch each other."""
    base = load_base(tiny_random_folder)
    shelf = Shelf({f"rev-{i}": random_adapter(base.model, i) for i in range(3)})
    rng = np.random.default_rng(0)
    texts = [tuple(rng.integers(0, base.vocabulary, 30).tolist()) for _ in range(8)]
    asked = [
        ScoreRequest(str(i), text[:10], text[10:], None if i % 4 == 3 else f"rev-{i % 4}")
        for i, text in enumerate(texts)
    ]
    found = []
    for served in (base, int8_base(base)):
        engine = LocalEngine(served, shelf, max_slots=4)
        together = [result.logprobs for result in engine.score(asked)]
        alone = [engine.score([request])[0].logprobs for request in asked]
        np.testing.assert_allclose(together, alone, atol=1e-4)
        found.append(np.array(together))
        replies = engine.generate(
            [
                GenerateRequest(str(i), text, "rev-0", Sampling(4, temperature=0))
                for i, text in enumerate(texts)
            ]
        )
        assert all(reply.error is None for reply in replies)
        engine.close()
    exact, int8 = found
    assert 0 < np.abs(exact - int8).mean() < 0.05


@needs_int8
def test_a_base_in_8_bits_cannot_be_trained_on(tiny_random_folder: Path) -> None:
    model = int8_base(open_base(tiny_random_folder)).model
    stack = StackedLora.attach(model, LoraSpec(), 1)
    with (
        stack.route_segments([0], [3]),
        torch.enable_grad(),
        pytest.raises(ValueError, match=r"torch\.int8 give no gradients; train on the base in float32"),
    ):
        model(input_ids=torch.tensor([[1, 2, 3]]))


def test_factors_follow_the_sizes_of_the_inputs() -> None:
    """Their geometric mean is 1, and sixteen times the mean square is twice the factor."""
    squares = torch.tensor([1.0, 16.0, 256.0])
    factors = quantisation._roots(squares)
    torch.testing.assert_close(factors, torch.tensor([0.5, 1.0, 2.0]))
    torch.testing.assert_close(quantisation._roots(torch.zeros(4)), torch.ones(4))


def test_a_device_or_type_that_has_no_8_bits_is_refused_before_any_weight_is_read(
    tiny_random_folder: Path,
) -> None:
    base = open_base(tiny_random_folder, dtype="bfloat16")
    with pytest.raises(BaseModelError, match="device cpu and dtype float32; got cpu and bfloat16"):
        int8_base(base)
    assert not base.weights.loaded
    with pytest.raises(BaseModelError, match="got cuda and float32"):
        check_int8("cuda", torch.float32)


def test_a_processor_without_exact_products_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantisation, "exact_products", lambda: False)
    with pytest.raises(BaseModelError, match="takes VNNI"):
        check_int8("cpu", torch.float32)
