"""The local engine says what the model says, for every request alone, whatever else is in its batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from adapters.bases.loader import Base, load_base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, GenerateResult, Message, Sampling, ScoreRequest
from adapters.engines.sampling import nucleus
from adapters.errors import BaseModelError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.layers import StackedLinear
from adapters.lora.peft_io import write_peft
from adapters.lora.spec import LoraSpec
from tests.adapters.engines.random_adapters import Shelf, random_adapter
from tests.adapters.tiny import ARCHITECTURES, write_base

GREEDY = Sampling(max_new_tokens=12, temperature=0)


def prompts(count: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Prompts of mixed lengths."""
    rng = random.Random(seed)
    return [tuple(rng.randrange(256) for _ in range(rng.randrange(1, 50))) for _ in range(count)]


def mixed_requests(count: int = 14) -> list[GenerateRequest]:
    """Every kind of row beside every other: adapters, the base, greedy, sampled, constrained, long and short."""
    return [
        GenerateRequest(
            f"r{i}",
            prompt,
            None if i % 5 == 0 else f"rev-{i % 4}",
            Sampling(6 + i, 0.0 if i % 2 else 0.9, 0.8 if i % 3 == 0 else 1.0, seed=i),
            r'\{"n":(?:[0-9]{2,4}|"x{3,9}")\}' if i % 4 == 2 else None,
        )
        for i, prompt in enumerate(prompts(count))
    ]


def assert_same(got: Sequence[GenerateResult], expected: Sequence[GenerateResult]) -> None:
    for a, b in zip(got, expected, strict=True):
        assert replace(a, logprobs=()) == replace(b, logprobs=())
        torch.testing.assert_close(torch.tensor(a.logprobs), torch.tensor(b.logprobs), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_greedy_replies_and_logprobs_are_those_of_transformers_and_peft(kind: str, tmp_path: Path) -> None:
    base = load_base(write_base(tmp_path / "base", kind))
    adapters = {f"rev-{i}": random_adapter(base.model, i) for i in range(3)}
    names = [None, *adapters, *adapters]
    requests = [
        GenerateRequest(str(i), prompt, name, GREEDY)
        for i, (prompt, name) in enumerate(zip(prompts(len(names)), names, strict=True))
    ]
    engine = LocalEngine(base, Shelf(adapters))
    results = engine.generate(requests)
    engine.close()
    for name, adapter in adapters.items():
        write_peft(adapter, tmp_path / name, base_ref=str(base.path))
    plain = AutoModelForCausalLM.from_pretrained(base.path)
    peft = PeftModel.from_pretrained(plain, tmp_path / "rev-0", adapter_name="rev-0").eval()
    for name in list(adapters)[1:]:
        peft.load_adapter(tmp_path / name, adapter_name=name)
    for request, result in zip(requests, results, strict=True):
        if request.adapter is None:
            with peft.disable_adapter():
                tokens, logprobs = _generate_with_transformers(peft, request)
        else:
            peft.set_adapter(request.adapter)
            tokens, logprobs = _generate_with_transformers(peft, request)
        assert list(result.token_ids) == tokens
        torch.testing.assert_close(torch.tensor(result.logprobs), logprobs, atol=1e-4, rtol=0)


def _generate_with_transformers(model: PeftModel, request: GenerateRequest) -> tuple[list[int], torch.Tensor]:
    ids = torch.tensor([request.prompt])
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=request.sampling.max_new_tokens,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    tokens = out.sequences[0, ids.shape[1] :]
    logprobs = torch.stack(out.logits, dim=1)[0].log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
    return tokens.tolist(), logprobs


def test_a_request_alone_gets_what_it_gets_in_a_mixed_batch(engine: LocalEngine) -> None:
    requests = mixed_requests()
    alone = [engine.generate([request])[0] for request in requests]
    assert_same(engine.generate(requests), alone)
    assert_same(engine.generate(requests[::-1]), alone[::-1])


def test_little_memory_and_few_slots_change_no_reply(base: Base, shelf: Shelf, engine: LocalEngine) -> None:
    """Rows join as others finish, the pool is divided, adapters come in waves: the replies stay."""
    requests = mixed_requests()
    expected = engine.generate(requests)
    engine.close()
    cramped = LocalEngine(base, shelf, max_slots=2, token_budget=150)
    assert_same(cramped.generate(requests), expected)
    cramped.close()


@pytest.mark.parametrize("first_layer", [0, 2])
def test_what_was_served_before_changes_no_bit(first_layer: int) -> None:
    """A run that stops and goes on meets other slots or none, and has to end in the same bytes."""
    base = load_base("tiny-moe")
    spec = LoraSpec(first_layer=first_layer)
    shelf = Shelf({f"rev-{i}": random_adapter(base.model, i, spec) for i in range(5)})
    rng = random.Random(0)
    requests = [
        GenerateRequest(
            f"r{i}", tuple(rng.choices(range(4096), k=40 + 7 * i)), f"rev-{i % 5}", Sampling(4, seed=i)
        )
        for i in range(9)
    ]
    bare = [replace(request, adapter=None) for request in requests]
    engine = LocalEngine(base, shelf, max_slots=4)
    expected_bare, expected = engine.generate(bare), engine.generate(requests)
    for earlier in ("rev-4", "rev-2", "rev-3"):
        engine.generate([replace(requests[0], adapter=earlier)])
        assert engine.generate(requests) == expected
        assert engine.generate(bare) == expected_bare
    engine.close()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_adapters_of_the_upper_layers_share_the_lower_ones_and_answer_as_alone(
    kind: str, tmp_path: Path
) -> None:
    """One prompt under every adapter, beside prompts that begin like it, the base and others."""
    base = load_base(write_base(tmp_path / "base", kind))
    spec = LoraSpec(first_layer=1)
    shelf = Shelf({f"rev-{i}": random_adapter(base.model, i, spec) for i in range(3)})
    common = tuple(range(40, 70))
    asked = [common, (*common, 7, 8), common[:9], *prompts(3)]
    requests = [
        GenerateRequest(f"{name} {i}", prompt, name, GREEDY)
        for name in (None, *shelf.adapters)
        for i, prompt in enumerate(asked)
    ]
    engine = LocalEngine(base, shelf)
    alone = [engine.generate([request])[0] for request in requests]
    assert_same(engine.generate(requests), alone)
    scores = engine.score(
        [
            ScoreRequest(r.request_id, r.prompt, a.token_ids, r.adapter)
            for r, a in zip(requests, alone, strict=True)
        ]
    )
    for score, result in zip(scores, alone, strict=True):
        torch.testing.assert_close(
            torch.tensor(score.logprobs), torch.tensor(result.logprobs), atol=1e-4, rtol=0
        )
    assert len({result.token_ids for result in alone[:: len(asked)]}) == 4
    engine.close()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_long_prompts_are_read_in_parts_without_a_difference(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = load_base(write_base(tmp_path / "base", kind))
    engine = LocalEngine(base, Shelf({f"rev-{i}": random_adapter(base.model, i) for i in range(4)}))
    requests = mixed_requests()
    expected = engine.generate(requests)
    monkeypatch.setattr("adapters.engines.local.PASS_TOKENS", 16)
    assert_same(engine.generate(requests), expected)
    assert any(len(r.prompt) > 32 for r in requests if isinstance(r.prompt, tuple))
    engine.close()


def test_memory_is_kept_from_call_to_call_and_given_back(base: Base, shelf: Shelf) -> None:
    """A smaller call uses the pool of a larger one and finds nothing of it."""
    engine = LocalEngine(base, shelf)
    small = mixed_requests(3)
    expected = engine.generate(small)
    engine.generate(mixed_requests())
    kept = engine._pool
    assert engine.generate(small) == expected
    assert kept is engine._pool is not None
    engine.close()
    assert engine._pool is None


def test_one_prompt_sampled_many_times_equals_separate_requests(engine: LocalEngine) -> None:
    """A shared prompt is read once; the samples differ by their seeds."""
    prompt = prompts(1, seed=4)[0] * 2
    requests = [GenerateRequest(str(i), prompt, "rev-1", Sampling(8, seed=i)) for i in range(6)]
    together = engine.generate(requests)
    assert_same(together, [engine.generate([request])[0] for request in requests])
    assert len({result.token_ids for result in together}) == 6


def test_equal_seeds_draw_equal_replies_and_others_differ(engine: LocalEngine) -> None:
    request = GenerateRequest("a", (1, 2, 3), "rev-0", Sampling(20, seed=5))
    first, again, other = engine.generate(
        [
            request,
            replace(request, request_id="b"),
            replace(request, request_id="c", sampling=Sampling(20, seed=6)),
        ]
    )
    assert first.token_ids == again.token_ids != other.token_ids


def test_adapters_change_replies(engine: LocalEngine) -> None:
    results = engine.generate(
        [GenerateRequest(str(name), (5, 6, 7), name, GREEDY) for name in (None, "rev-0", "rev-1")]
    )
    assert len({result.token_ids for result in results}) == 3


def test_scores_are_the_logprobs_of_generation(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the logits of a text are made piece by piece."""
    monkeypatch.setattr("adapters.engines.forward._HEAD_TOKENS", 5)
    requests = mixed_requests()
    results = engine.generate(requests)
    scores = engine.score(
        [
            ScoreRequest(request.request_id, request.prompt, result.token_ids, request.adapter)
            for request, result in zip(requests, results, strict=True)
        ]
    )
    for score, result in zip(scores, results, strict=True):
        assert (score.error, score.prompt_tokens) == (None, result.prompt_tokens)
        torch.testing.assert_close(
            torch.tensor(score.logprobs), torch.tensor(result.logprobs), atol=1e-4, rtol=0
        )


def test_messages_are_encoded_by_the_base(base: Base, engine: LocalEngine) -> None:
    messages = (Message("system", "be kind"), Message("user", "hello <|end|> there"))
    ids = base.encoder.prompt_ids(messages)
    by_messages, by_ids = engine.generate(
        [GenerateRequest("a", messages, sampling=GREEDY), GenerateRequest("b", ids, sampling=GREEDY)]
    )
    assert by_messages.token_ids == by_ids.token_ids
    assert by_messages.prompt_tokens == len(ids)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (1.0, 0.7), (0.15, 0.7), (0.02, 0.9)])
def test_a_row_under_a_grammar_draws_from_the_allowed_tokens_as_if_masked_first(
    base: Base, shelf: Shelf, temperature: float, top_p: float
) -> None:
    """Drawing first and masking only where needed must not bend the probabilities."""
    engine, prompt, n = LocalEngine(base, shelf), prompts(1, seed=9)[0], 600
    allowed = [base.encoder.text_ids(chr(c))[0] for c in range(ord("!"), ord("~") + 1)]
    scores = engine.score([ScoreRequest(str(i), prompt, (i,)) for i in allowed])
    logits = torch.tensor([[score.logprobs[0] for score in scores]])
    expected = nucleus((logits / temperature).softmax(-1), torch.tensor([top_p]))[0]
    drawn = engine.generate(
        [
            GenerateRequest(str(i), prompt, None, Sampling(1, temperature, top_p, seed=i), "[!-~]")
            for i in range(n)
        ]
    )
    shares = torch.tensor([sum(r.token_ids == (i,) for r in drawn) / n for i in allowed])
    assert not shares[expected == 0].any()
    # Distribution functions, compared at 1.63/√n: the 1% bound of Kolmogorov and Smirnov.
    assert (shares.cumsum(0) - (expected / expected.sum()).cumsum(0)).abs().max() < 1.63 / n**0.5


def test_adapters_stay_in_their_slots_and_the_least_recently_used_leaves(
    shelf: Shelf, engine: LocalEngine
) -> None:
    def ask(*numbers: int) -> list[str]:
        shelf.opened.clear()
        engine.generate([GenerateRequest(str(i), (1,), f"rev-{i}", Sampling(1)) for i in numbers])
        return shelf.opened[:]

    assert ask(0, 1, 2, 3) == ["rev-0", "rev-1", "rev-2", "rev-3"]
    assert ask(0, 2) == []
    assert ask(4) == ["rev-4"]  # rev-1 leaves
    assert ask(0, 2, 3, 4) == []
    assert ask(1) == ["rev-1"]


def test_adapters_of_other_shapes_are_served_in_the_same_batch(base: Base) -> None:
    shelf = Shelf(
        {
            "rank-4": random_adapter(base.model, 1),
            "rank-8": random_adapter(base.model, 2, LoraSpec(rank=8, alpha=4)),
            "queries": random_adapter(base.model, 3, LoraSpec(targets=("q_proj",))),
            "upper": random_adapter(base.model, 4, LoraSpec(first_layer=1)),
        }
    )
    names = (None, "rank-8", "queries", "upper", "rank-4")
    requests = [GenerateRequest(str(n), (3, 4, 5), n, GREEDY) for n in names]
    engine = LocalEngine(base, shelf)
    together = engine.generate(requests)
    assert_same(together, [engine.generate([request])[0] for request in requests])
    assert len({result.token_ids for result in together}) == len(names)
    engine.close()


@pytest.mark.parametrize(("of_a", "of_b"), [(torch.nan, 1), (1, torch.nan), (1, torch.inf), (1e30, 1e30)])
def test_a_damaged_adapter_fails_its_own_requests_only(
    base: Base, shelf: Shelf, of_a: float, of_b: float
) -> None:
    """Whether its numbers are not finite, or what the model makes of them."""
    broken = {path: LoraPair(A * of_a, B * of_b) for path, (A, B) in shelf.adapters["rev-0"].pairs.items()}
    shelf.adapters["broken"] = Adapter(LoraSpec(), broken)
    requests = [replace(request, grammar=None) for request in mixed_requests()]
    engine = LocalEngine(base, shelf, token_budget=200)  # rows are used again by others
    expected = engine.generate(requests)
    bad = [replace(r, request_id=f"bad-{r.request_id}", adapter="broken") for r in requests[:4]]
    bad[0] = replace(bad[0], grammar="[a-z]+")
    mixed = engine.generate([r for pair in zip(requests[:4], bad, strict=True) for r in pair] + requests[4:])
    assert_same(mixed[:8:2] + mixed[8:], expected)
    assert {(r.error.kind, r.token_ids) for r in mixed[1:8:2] if r.error} == {("engine", ())}
    scores = engine.score(
        [ScoreRequest("a", (1, 2), (3,), "broken"), ScoreRequest("b", (1, 2), (3,), "rev-1")]
    )
    assert (scores[0].error is None, scores[1].error is None) == (False, True)
    engine.close()


def test_adapters_that_do_not_fit_name_themselves_and_the_base(base: Base) -> None:
    wide = Adapter(
        LoraSpec(),
        {
            path: LoraPair(torch.zeros(4, 99), B)
            for path, (_, B) in random_adapter(base.model, 0).pairs.items()
        },
    )
    on_experts = Adapter(LoraSpec(targets=("gate",)), {})
    engine = LocalEngine(
        base, Shelf({"wide": wide, "experts": on_experts, "good": random_adapter(base.model, 1)})
    )
    wrong, odd, good = engine.generate(
        [GenerateRequest(name, (1, 2), name, GREEDY) for name in ("wide", "experts", "good")]
    )
    for result in (wrong, odd):
        assert result.error is not None
        assert result.error.kind == "incompatible_adapter"
        assert result.request_id in result.error.message
        assert base.name in result.error.message
    assert good.error is None
    engine.close()


def test_an_adapter_made_for_another_base_is_refused_with_both_names(base: Base) -> None:
    class Store(Shelf):
        def manifest(self, revision: str) -> SimpleNamespace:
            return SimpleNamespace(base_name="another-base", base_fingerprint="f" * 64)

    engine = LocalEngine(base, Store({"rev": random_adapter(base.model, 0)}))
    (result,) = engine.generate([GenerateRequest("a", (1, 2), "rev", GREEDY)])
    assert result.error is not None
    assert result.error.kind == "incompatible_adapter"
    assert "another-base" in result.error.message
    assert base.name in result.error.message
    engine.close()


def test_length_limits_say_what_to_change(base: Base, shelf: Shelf) -> None:
    engine = LocalEngine(base, shelf, token_budget=100)
    context = base.model.config.max_position_embeddings
    long, greedy, fits = engine.generate(
        [
            GenerateRequest("long", (1,) * context, sampling=Sampling(1)),
            GenerateRequest("greedy", (1,) * 50, sampling=Sampling(51)),
            GenerateRequest("fits", (1,) * 50, sampling=Sampling(50, 0)),
        ]
    )
    assert long.error is not None
    assert str(context) in long.error.message
    assert greedy.error is not None
    assert "token_budget" in greedy.error.message
    assert fits.error is None


def test_closing_gives_the_model_back_as_it_was(base: Base, shelf: Shelf) -> None:
    attention = base.model.config._attn_implementation
    engine = LocalEngine(base, shelf)
    engine.generate([GenerateRequest("a", (1, 2), "rev-0", GREEDY)])
    assert any(isinstance(m, StackedLinear) for m in base.model.modules())
    engine.close()
    assert not any(isinstance(m, StackedLinear) for m in base.model.modules())
    assert base.model.config._attn_implementation == attention


def test_without_adapters_the_model_is_left_alone(base: Base, shelf: Shelf) -> None:
    engine = LocalEngine(base, shelf)
    engine.generate([GenerateRequest("a", (1, 2), None, GREEDY)])
    assert not any(isinstance(m, StackedLinear) for m in base.model.modules())


def test_low_precision_bases_are_served(tiny_random_folder: Path) -> None:
    base = load_base(tiny_random_folder, dtype="bfloat16")
    engine = LocalEngine(base, Shelf({"rev": random_adapter(base.model, 0)}))
    results = engine.generate([GenerateRequest(str(i), (i, 2), "rev", GREEDY) for i in range(3)])
    assert all(result.error is None for result in results)
    engine.close()


def test_unknown_architectures_and_impossible_sizes_are_refused(base: Base, shelf: Shelf) -> None:
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=32, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(BaseModelError, match="gpt2"):
        LocalEngine(replace(base, weights=SimpleNamespace(model=gpt2)), shelf)
    for sizes in ({"max_slots": 0}, {"token_budget": 0}):
        with pytest.raises(ValueError, match=next(iter(sizes))):
            LocalEngine(base, shelf, **sizes)
