"""What a vLLM 0.27.1 server answers, computed by the local engine over adapters read from folders."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from adapters.bases.loader import Base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, GenerateResult, Message, Sampling, ScoreRequest
from adapters.errors import AdapterError, UnknownAdapterError
from adapters.lora.peft_io import read_peft
from tests.adapters.engines.random_adapters import Shelf

_CREATED = 1_795_333_786
_GRAMMAR_HEAD, _GRAMMAR_TAIL = '%llguidance {"no_forcing": true}\nstart: /', "/"


class Answer(NamedTuple):
    """One HTTP answer; a payload of None or text is sent as it is, anything else as JSON."""

    status: int
    payload: Any = None
    headers: Mapping[str, str] = {}


def failure(status: int, message: str, kind: str = "BadRequestError", param: str | None = None) -> Answer:
    """An error in vLLM's form."""
    return Answer(status, {"error": {"message": message, "type": kind, "param": param, "code": status}})


class FakeModel:
    """The model behind a fake server; any thread may ask, one at a time is answered.

    Under a grammar the log-probabilities are 0 and not the model's own, to stand for those of vLLM, which are
    taken after the mask.

    Args:
        base: for this model alone, since the engine attaches adapters to it.
        served_name: of the base.
        max_lora_rank: adapters of a higher rank are refused.
        context: tokens of prompt and reply; None for what the base takes.
    """

    def __init__(
        self, base: Base, *, served_name: str, max_lora_rank: int = 8, context: int | None = None
    ) -> None:
        self.base, self.served_name, self.max_lora_rank = base, served_name, max_lora_rank
        self.context = context or base.longest
        self.folders: dict[str, str] = {}
        self._shelf = Shelf({})
        self._engine = LocalEngine(base, self._shelf, max_slots=16)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Free the base."""
        with self._lock:
            self._engine.close()

    def models(self) -> Answer:
        """GET /v1/models."""
        base = self._card(self.served_name, str(self.base.path), None, self.context)
        loras = [self._card(name, folder, self.served_name, None) for name, folder in self.folders.items()]
        return Answer(200, {"object": "list", "data": [base, *loras]})

    def load(self, body: Mapping[str, Any]) -> Answer:
        """POST /v1/load_lora_adapter."""
        name, folder = body["lora_name"], body["lora_path"]
        if name in self.folders:
            again = "If you want to load the adapter in place, set 'load_inplace' to True."
            return failure(
                400, f"The lora adapter '{name}' has already been loaded. {again}", "InvalidUserInput"
            )
        try:
            adapter = read_peft(Path(folder))
        except UnknownAdapterError:
            return failure(404, f"Loading lora {name} failed: No adapter found for {folder}", "NotFoundError")
        except AdapterError as error:
            return _worker_failed(str(error))
        if adapter.spec.rank > self.max_lora_rank:
            return _worker_failed(
                f"LoRA rank {adapter.spec.rank} is greater than max_lora_rank {self.max_lora_rank}."
            )
        with self._lock:
            self._shelf.adapters[name] = adapter
            self.folders[name] = folder
        return Answer(200, f"Success: LoRA adapter '{name}' added successfully.")

    def unload(self, body: Mapping[str, Any]) -> Answer:
        """POST /v1/unload_lora_adapter."""
        name = body["lora_name"]
        if name not in self.folders:
            return failure(404, f"The lora adapter '{name}' cannot be found.", "NotFoundError")
        del self.folders[name]
        return Answer(200, f"Success: LoRA adapter '{name}' removed successfully.")

    def tokenize(self, body: Mapping[str, Any]) -> Answer:
        """POST /tokenize: special tokens in the text count as such."""
        ids = self.base.tokenizer.encode(body["prompt"], add_special_tokens=body["add_special_tokens"])
        return Answer(
            200, {"count": len(ids), "max_model_len": self.context, "tokens": ids, "token_strs": None}
        )

    def complete(self, body: Mapping[str, Any]) -> Answer:
        """POST /v1/completions with token ids."""
        if refusal := self._refusal(body, body["prompt"]):
            return refusal
        if "allowed_token_ids" in body:
            return self._scored(body)
        result = self._generated(body, tuple(body["prompt"]))
        if isinstance(result, Answer):
            return result
        choice = {"text": result.text, "logprobs": self._logprobs(body, result)}
        return self._answer(body, "text_completion", choice, body["prompt"], result)

    def chat(self, body: Mapping[str, Any]) -> Answer:
        """POST /v1/chat/completions: contents may spell special tokens, as vLLM lets them."""
        text = self.base.tokenizer.apply_chat_template(
            body["messages"], tokenize=False, add_generation_prompt=True
        )
        prompt = self.base.tokenizer.encode(text, add_special_tokens=False)
        if refusal := self._refusal(body, prompt):
            return refusal
        result = self._generated(body, tuple(prompt))
        if isinstance(result, Answer):
            return result
        logprobs = self._logprobs(body, result)
        content = [
            {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": []}
            for token, logprob in zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True)
        ]
        message = {"role": "assistant", "content": result.text, "refusal": None}
        choice = {"message": message, "logprobs": {"content": content}}
        return self._answer(body, "chat.completion", choice, prompt, result)

    def _adapter(self, name: str) -> str | None:
        return None if name == self.served_name else name

    def _refusal(self, body: Mapping[str, Any], prompt: list[int]) -> Answer | None:
        model, more = body["model"], body["max_tokens"]
        if model != self.served_name and model not in self.folders:
            return failure(404, f"The model `{model}` does not exist.", "NotFoundError", "model")
        if len(prompt) + more > self.context:
            return failure(
                400,
                f"This model's maximum context length is {self.context} tokens. However, you requested {more} output "
                f"tokens and your prompt contains {len(prompt)} input tokens",
                param="input_tokens",
            )
        for token in prompt:
            if token >= self.base.vocabulary:
                return failure(400, f"Token id {token} is out of vocabulary")
        return None

    def _generated(self, body: Mapping[str, Any], prompt: tuple[int, ...]) -> GenerateResult | Answer:
        grammar = body.get("structured_outputs", {}).get("grammar")
        request = GenerateRequest(
            "one",
            prompt,
            self._adapter(body["model"]),
            Sampling(
                body["max_tokens"],
                0 if body["top_k"] == 1 else body["temperature"],
                body["top_p"],
                body["seed"],
            ),
            None if grammar is None else _expression(grammar),
        )
        with self._lock:
            (result,) = self._engine.generate([request])
        if result.error is not None:
            return failure(500, "Internal server error", "InternalServerError")
        return result

    def _scored(self, body: Mapping[str, Any]) -> Answer:
        """Prompt log-probabilities, and that of the one token which the request allows next."""
        prompt, (last,) = tuple(body["prompt"]), body["allowed_token_ids"]
        request = ScoreRequest("one", prompt[:1], (*prompt[1:], last), self._adapter(body["model"]))
        with self._lock:
            (result,) = self._engine.score([request])
        if result.error is not None:
            return failure(500, "Internal server error", "InternalServerError")
        *inner, end = result.logprobs
        last_token = GenerateResult("one", "", (last,), (end,), "length", len(prompt))
        choice = {
            "text": self.base.tokenizer.decode([last]),
            "logprobs": self._logprobs(body, last_token),
            "prompt_logprobs": [
                None,
                *(
                    {str(token): {"logprob": logprob, "rank": 1, "decoded_token": ""}}
                    for token, logprob in zip(prompt[1:], inner, strict=True)
                ),
            ],
        }
        return self._answer(body, "text_completion", choice, list(prompt), last_token)

    def _logprobs(self, body: Mapping[str, Any], result: GenerateResult) -> dict[str, Any]:
        tokens = [self.base.tokenizer.decode([token]) for token in result.token_ids]
        logprobs = [0.0 if "structured_outputs" in body else logprob for logprob in result.logprobs]
        return {
            "text_offset": [0] * len(tokens),
            "token_logprobs": logprobs,
            "tokens": tokens,
            "top_logprobs": [{token: logprob} for token, logprob in zip(tokens, logprobs, strict=True)],
        }

    def _answer(
        self,
        body: Mapping[str, Any],
        kind: str,
        choice: dict[str, Any],
        prompt: list[int],
        result: GenerateResult,
    ) -> Answer:
        stopped = result.finish_reason == "stop"
        whole = {
            "index": 0,
            "finish_reason": result.finish_reason,
            "stop_reason": result.token_ids[-1] if stopped else None,
            "token_ids": list(result.token_ids),
            "prompt_logprobs": None,
            "routed_experts": None,
            **choice,
        }
        ids = {"prompt_token_ids": prompt}
        usage = {
            "prompt_tokens": len(prompt),
            "total_tokens": len(prompt) + len(result.token_ids),
            "completion_tokens": len(result.token_ids),
            "prompt_tokens_details": None,
        }
        return Answer(
            200,
            {
                "id": "cmpl-1",
                "object": kind,
                "created": _CREATED,
                "model": body["model"],
                "choices": [whole | ids if kind == "text_completion" else whole],
                **({} if kind == "text_completion" else ids),
                "usage": usage,
            },
        )

    def _card(self, name: str, root: str, parent: str | None, context: int | None) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": _CREATED,
            "owned_by": "vllm",
            "root": root,
            "parent": parent,
            "max_model_len": context,
            "permission": [],
        }


def messages_of(body: Mapping[str, Any]) -> tuple[Message, ...]:
    """The chat messages of a recorded request."""
    return tuple(Message(turn["role"], turn["content"]) for turn in body["messages"])


def _worker_failed(message: str) -> Answer:
    return failure(
        500,
        f"Call to add_lora method failed: Worker failed with error '{message}', "
        "please check the stack trace above for the root cause",
        "InternalServerError",
    )


def _expression(grammar: str) -> str:
    """The regular expression inside a grammar that `lark_grammar` wrote, any end token left out."""
    head, body = grammar[: len(_GRAMMAR_HEAD)], grammar[len(_GRAMMAR_HEAD) :].rpartition(_GRAMMAR_TAIL)[0]
    assert head == _GRAMMAR_HEAD, grammar
    return body.replace(r"\/", "/")
