"""A real model of 135 million parameters: engine against transformers, 8 bits against 32, what training does."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.bases.int8 import exact_products
from adapters.bases.loader import Base, load_base
from adapters.bases.quantisation import int8_base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, Message, Sampling, ScoreRequest
from adapters.lora.spec import LoraSpec
from adapters.training.config import TrainConfig
from adapters.training.data import Example
from adapters.training.trainer import train_adapters
from tests.adapters.engines.random_adapters import Shelf

pytestmark = pytest.mark.smollm2

TEXT = "The council will vote on the new bridge tomorrow, and half of the town has come to watch."
TEXTS = (
    TEXT,
    "She planted beans along the fence in May, and by August nobody could see the road from the kitchen.",
    "Trains to the coast leave every hour until midnight, except on Sundays, when the last one leaves at nine.",
    "Most of what we know about the old harbour comes from the letters of a single customs officer.",
    "If the rain stops before noon we will walk to the lake, otherwise we stay here and bake bread.",
)


@pytest.fixture(scope="module")
def base(smollm2_folder: Path) -> Base:
    return load_base(smollm2_folder)


def scores(
    base: Base, texts: list[tuple[int, ...]], adapter: str | None = None, shelf: Shelf | None = None
) -> list[float]:
    """−log p per token of each text after its first token, in nats."""
    engine = LocalEngine(base, shelf or Shelf({}), max_slots=4)
    try:
        found = engine.score([ScoreRequest(str(i), t[:1], t[1:], adapter) for i, t in enumerate(texts)])
    finally:
        engine.close()
    return [-float(np.mean(result.logprobs)) for result in found]


def test_log_probabilities_and_greedy_tokens_are_those_of_transformers(base: Base) -> None:
    ids = base.encoder.text_ids(TEXT)
    prompt = base.encoder.prompt_ids([Message("user", "Say hello to your neighbour.")])
    with torch.inference_mode():
        logits = base.model(input_ids=torch.tensor([ids])).logits[0]
        expected = torch.log_softmax(logits, -1)[:-1].gather(1, torch.tensor(ids)[1:, None])[:, 0]
        row = list(prompt)
        for _ in range(8):
            row.append(int(base.model(input_ids=torch.tensor([row])).logits[0, -1].argmax()))
    engine = LocalEngine(base, Shelf({}))
    (scored,) = engine.score([ScoreRequest("a", ids[:1], ids[1:])])
    (said,) = engine.generate(
        [GenerateRequest("b", prompt, sampling=Sampling(max_new_tokens=8, temperature=0))]
    )
    engine.close()
    np.testing.assert_allclose(scored.logprobs, expected.numpy(), atol=1e-4)
    assert list(said.token_ids) == row[len(prompt) :][: len(said.token_ids)]


@pytest.mark.skipif(not exact_products(), reason="this processor has no exact 8-bit products")
def test_8_bits_say_nearly_the_same(base: Base) -> None:
    """Perplexity of plain English within a tenth; of one sentence alone it moves by as much."""
    ids = [base.encoder.text_ids(text) for text in TEXTS]
    full, small = scores(base, ids), scores(int8_base(base), ids)
    assert abs(np.mean(small) - np.mean(full)) < 0.1
    assert small != full


def test_adapters_of_the_upper_layers_learn_their_own_people(base: Base, tweets_path: Path) -> None:
    """Two accounts, 24 posts, two epochs: later posts are likelier under the own adapter than under none."""
    posts: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    with gzip.open(tweets_path, "rt", encoding="utf-8") as lines:
        for line in lines:
            post = json.loads(line)
            if len(posts) == 2 and post["user_id"] not in posts:
                break
            ids = (*base.encoder.begin_ids, *base.encoder.text_ids(post["text"]), *base.encoder.end_ids)
            posts[post["user_id"]].append(ids)
    config = TrainConfig(spec=LoraSpec(first_layer=20), epochs=2, rows_per_step=4)
    trained = train_adapters(
        base, {user: [Example(ids, 1) for ids in rows[:24]] for user, rows in posts.items()}, config
    )
    shelf = Shelf({user: result.adapter for user, result in trained.items()})
    for user, rows in posts.items():
        own, none = (scores(base, rows[24:34], adapter, shelf) for adapter in (user, None))
        assert np.mean(own) < np.mean(none) - 0.2
