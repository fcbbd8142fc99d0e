"""A vLLM server's life: its environment, its flags, its process, and how it is found again."""
