"""The router's balance has its textbook values."""

from __future__ import annotations

import pytest
import torch

from adapters.bases.pretraining.balance import assignment_shares, load_balance


def test_even_routing_costs_one() -> None:
    # E Σ f P with f = P = 1/E: E · E · 1/E² = 1 (Fedus et al. 2021, equation 4)
    logits = torch.eye(8).repeat(16, 1) * 1e-4
    assert load_balance([logits, logits], top_k=1).item() == pytest.approx(1, abs=1e-4)


def test_routing_to_one_expert_costs_as_much_as_there_are_experts() -> None:
    # f = P = (1, 0, …): E · 1 · 1 = E
    logits = torch.full((10, 8), -50.0)
    logits[:, 3] = 50.0
    assert load_balance([logits], top_k=1).item() == pytest.approx(8)


def test_two_lopsided_layers_do_not_even_each_other_out() -> None:
    left, right = torch.tensor([[50.0, -50.0]]).repeat(6, 1), torch.tensor([[-50.0, 50.0]]).repeat(6, 1)
    assert load_balance([left, right], top_k=1).item() == pytest.approx(2)


def test_assignment_shares_count_every_choice() -> None:
    # two tokens, top 2 of 3: experts {0, 1} and {0, 2}
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])
    assert assignment_shares(logits, 2).tolist() == [0.5, 0.25, 0.25]
