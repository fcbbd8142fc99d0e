"""Classical opinion dynamics on the follow graph of the language agents, as policies and as fits to real series."""
