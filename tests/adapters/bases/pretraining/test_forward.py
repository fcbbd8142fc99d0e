"""Rows packed together say what each of them says alone, in the stock forward of transformers."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from adapters.bases.experts import fuse_experts
from adapters.bases.pretraining.forward import forward
from adapters.bases.pretraining.rows import Row, Span, collate
from tests.adapters.tiny import tiny_model

ROWS = [
    Row((5, 9, 2, 7, 7, 1), (Span(2, 4), Span(5, 6, 2.0))),
    Row((5, 9, 3), (Span(1, 3),)),
    Row((8, 2, 6, 4, 1, 9, 9, 9, 2), (Span(1, 9),)),
]


@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe"])
@pytest.mark.parametrize("trains_head", [False, True])
def test_losses_router_logits_and_gradients_are_those_of_single_rows(kind: str, trains_head: bool) -> None:
    packed, stock = tiny_model(kind), tiny_model(kind)
    fuse_experts(packed)
    for model in (packed, stock):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trains_head or ".layers." in name)
    batch = collate(ROWS)
    said = forward(packed, batch)
    torch.autograd.backward((said.nll * batch.weight).sum())
    nll, routers = [], []
    for row in ROWS:
        out = stock.model(input_ids=torch.tensor([row.tokens]), output_router_logits=True)
        for span in row.spans:
            logits = stock.lm_head(out.last_hidden_state[0, span.start - 1 : span.stop - 1])
            targets = torch.tensor(row.tokens[span.start : span.stop])
            losses = cross_entropy(logits, targets, reduction="none")
            torch.autograd.backward((losses * span.weight).sum(), retain_graph=True)
            nll.append(losses)
        routers.append(torch.stack(out.router_logits))
    torch.testing.assert_close(said.nll, torch.cat(nll), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        torch.stack(said.router_logits), torch.cat(routers, dim=1), atol=1e-5, rtol=1e-5
    )
    for (name, ours), (_, theirs) in zip(packed.named_parameters(), stock.named_parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None and theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-4, msg=name)
