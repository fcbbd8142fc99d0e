"""Figures of the pages, each with its meaning in words."""
