"""Text: how varied, how personal and how repetitive what people write is."""
