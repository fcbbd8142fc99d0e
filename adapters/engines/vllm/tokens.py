"""Requests and replies as token ids: this side encodes, checks and decodes, the server computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.engines.grammar import Constraint, GrammarCompiler, lark_grammar
from adapters.engines.protocol import GenerateRequest, GenerateResult, Sampling, ScoreRequest, ScoreResult
from adapters.engines.replies import reply_text, stop_ids
from adapters.engines.validation import Limits, RefusedError, check_generate, check_score
from adapters.engines.vllm.client import bodies
from adapters.engines.vllm.client.answers import Reply, read_reply, read_score
from adapters.engines.vllm.client.client import VllmClient
from adapters.engines.vllm.speech import Asked, Scored
from adapters.errors import GrammarError

if TYPE_CHECKING:
    from adapters.bases.loader import Base


class TokenSpeech:
    """Speaks to a server in token ids of the base's own tokenizer, so no text can forge a special token.

    Args:
        base: its tokenizer, encoder and limits are used, its weights are not.
        context: tokens of prompt and reply that the server takes.
    """

    def __init__(self, base: Base, context: int) -> None:
        self._base = base
        self._stops = stop_ids(base)
        longest = min(base.longest, context)
        self._limits = Limits(base.vocabulary, longest, longest)
        self._end = base.encoder.end_ids[0]
        self._compiler: GrammarCompiler | None = None

    def asked(self, request: GenerateRequest) -> Asked:
        """Check a request.

        Raises:
            RefusedError: it cannot be answered.
        """
        prompt = check_generate(request, self._base.encoder, self._limits)
        if request.grammar is not None:
            self._constraint(request.grammar)
        return Asked(request, prompt)

    def scored(self, request: ScoreRequest) -> Scored:
        """Check a completion.

        Raises:
            RefusedError: it cannot be scored.
        """
        return Scored(request, check_score(request, self._base.encoder, self._limits))

    async def generate(self, client: VllmClient, asked: Asked, model: str) -> GenerateResult:
        """Send a request and read its reply.

        Log-probabilities that vLLM (0.27.1) gives under a grammar are those of the masked distribution, whatever
        `--logprobs-mode` says. A constrained reply is therefore scored once more without the grammar.

        Raises:
            RefusedError: this request came to nothing.
            ServerError: as of `VllmClient.complete`.
        """
        request, prompt = asked
        reply = await self._reply(client, model, prompt, request.sampling, request.grammar)
        logprobs = reply.logprobs
        if request.grammar is not None:
            logprobs = await self._logprobs(client, model, prompt, reply.token_ids)
        return GenerateResult(
            request_id=request.request_id,
            text=reply_text(self._base.tokenizer, reply.token_ids, stopped=reply.finish == "stop"),
            token_ids=reply.token_ids,
            logprobs=logprobs,
            finish_reason=reply.finish,
            prompt_tokens=len(prompt),
        )

    async def score(self, client: VllmClient, scored: Scored, model: str) -> ScoreResult:
        """Send a completion and read its log-probabilities; an empty one has none.

        Raises:
            RefusedError: this request came to nothing.
            ServerError: as of `VllmClient.complete`.
        """
        request, prompt = scored
        logprobs = await self._logprobs(client, model, prompt, request.completion)
        return ScoreResult(request.request_id, logprobs, len(prompt))

    async def probe(self, client: VllmClient, model: str, grammar: str | None = None) -> None:
        """Ask the least that can be asked; an answer of any kind will do, if it keeps the grammar.

        Raises:
            RefusedError: it does not keep the grammar.
            ServerError: there is no answer.
        """
        await self._reply(client, model, (self._end,), Sampling(8, temperature=0), grammar)

    def forget(self) -> None:
        """Drop the grammars of the batch that is over."""
        if self._compiler is not None:
            self._compiler.forget()

    async def _reply(
        self,
        client: VllmClient,
        model: str,
        prompt: tuple[int, ...],
        sampling: Sampling,
        grammar: str | None,
    ) -> Reply:
        lark = None if grammar is None else self._lark(grammar)
        answer = await client.complete(bodies.generation(model, prompt, sampling, self._stops, lark))
        reply = read_reply(
            answer,
            model=model,
            prompt=prompt,
            most=sampling.max_new_tokens,
            stops=self._stops,
            vocabulary=self._limits.vocabulary,
        )
        if grammar is not None:
            self._follow(reply, self._constraint(grammar))
        return reply

    async def _logprobs(
        self, client: VllmClient, model: str, prompt: tuple[int, ...], completion: tuple[int, ...]
    ) -> tuple[float, ...]:
        if not completion:
            return ()
        ids = (*prompt, *completion)
        answer = await client.complete(bodies.scoring(model, ids, len(prompt)))
        return read_score(answer, model=model, ids=ids, start=len(prompt))

    def _follow(self, reply: Reply, constraint: Constraint) -> None:
        """Raise RefusedError unless the expression allows every token of the reply, and its end."""
        for token in reply.token_ids:
            if not constraint.take(token):
                raise RefusedError(
                    "bad_grammar",
                    f"the server's reply leaves the grammar at token {token}: "
                    f"{constraint.failure or 'the server does not keep it'}",
                )

    def _constraint(self, expression: str) -> Constraint:
        try:
            return self._grammars().compile(expression)
        except GrammarError as error:
            raise RefusedError("bad_grammar", str(error)) from error

    def _lark(self, expression: str) -> str:
        own_end = self._base.tokenizer.eos_token_id
        return lark_grammar(expression, end_id=None if self._end == own_end else self._end)

    def _grammars(self) -> GrammarCompiler:
        if self._compiler is None:
            self._compiler = GrammarCompiler(self._base.tokenizer, self._limits.vocabulary, self._end)
        return self._compiler
