"""Tool calling: OASIS's own agents on an OpenAI-compatible server, their calls captured as replies."""
