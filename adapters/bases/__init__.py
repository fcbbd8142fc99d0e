"""Base models: the shipped tiny MoE and any Hugging Face causal-LM folder (`loader.load_base`)."""
