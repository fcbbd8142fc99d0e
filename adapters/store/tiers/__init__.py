"""Where adapters wait for the model: warm in memory, cold in storage; and which revision of a name serves."""
