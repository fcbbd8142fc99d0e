"""Who acts: corpora, personas, population, prompts, decision grammar, policies."""
