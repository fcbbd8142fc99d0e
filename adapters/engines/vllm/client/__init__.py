"""Talking to a vLLM server: requests and answers as JSON, retries, and what a failure means."""
