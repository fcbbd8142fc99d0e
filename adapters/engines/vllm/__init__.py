"""The engine on a vLLM server: hundreds of adapters, one base, the same answers as the local engine."""
