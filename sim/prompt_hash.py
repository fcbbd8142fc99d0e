"""A prompt's hash: equal prompts, equal hashes, in every engine."""

from __future__ import annotations

import hashlib
import json

from adapters.engines.protocol import Message, Prompt


def prompt_sha256(prompt: Prompt) -> str:
    """SHA-256 (hex) over the roles and contents of messages, or over token ids."""
    parts = [[p.role, p.content] if isinstance(p, Message) else p for p in prompt]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
