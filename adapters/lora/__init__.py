"""Stacked multi-LoRA: many users' low-rank adapters in one forward pass."""
