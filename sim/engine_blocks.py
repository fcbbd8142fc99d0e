"""The scenario's block of the engine: the model in this process, or on a vLLM server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from sim.block import Block


class _ModelBlock(Block):
    """How this process holds the base and its adapters when it needs them, to train or to answer."""

    device: str = "cpu"
    """`cpu`, `cuda` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the base's weights."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """On a CPU, of this process and of a vLLM server that it starts; null: OMP_NUM_THREADS, or the physical cores."""
    warm_mib: int = Field(default=256, ge=0)
    """Memory for adapters beside those in the model, in MiB, so that they are not read from disk at every step."""
    token_budget: int = Field(default=32_768, ge=256)
    """Tokens, of prompts and replies together, in this process's memory at once; more requests wait."""


class LocalEngineBlock(_ModelBlock):
    """Batched multi-LoRA decoding in this process."""

    kind: Literal["local"] = "local"
    """`local`."""
    weights: Literal["int8"] | None = None
    """`int8`: the base's linears in 8 bits while it answers, faster and less exact; null: in `dtype`."""
    max_slots: int = Field(default=64, ge=1)
    """Adapters in the model at once."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.weights == "int8" and (self.device, self.dtype) != ("cpu", "float32"):
            raise ValueError(
                f"weights: int8 is for device cpu and dtype float32; got {self.device} and {self.dtype}. "
                "Delete one of these keys"
            )
        return self


class VllmEngineBlock(_ModelBlock):
    """A vLLM server: one that runs already, or one that the run starts and stops itself."""

    kind: Literal["vllm"]
    """`vllm`."""
    url: str | None = None
    """A server that runs already, such as `http://127.0.0.1:8000`; null, without `urls`, starts one for the run."""
    urls: tuple[str, ...] = ()
    """Several servers of the same base instead: each adapter is served by one of them."""
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key of `url` or `urls`; null where they ask for none."""
    folder: Path | None = None
    """Where adapters are written for the server of `url` to read; a relative path starts at the scenario's folder."""
    server_folder: Path | None = None
    """The same folder as the server sees it, where its path is another one there (a container, another machine)."""
    adapters: Literal["load", "loaded"] = "load"
    """`load` has the server read adapters from `folder`; `loaded` takes those that it serves under their names."""
    max_loras: int = Field(default=64, ge=1)
    """Adapters in one batch of the server (its `--max-loras`); requests for more wait their turn."""
    max_cpu_loras: int | None = Field(default=None, ge=1)
    """Adapters in the server's own memory (its `--max-cpu-loras`), at least `max_loras`; null for 4 times that."""
    requests: int = Field(default=128, ge=1)
    """Requests under way at once, to each server."""
    timeout: float = Field(default=600, gt=0, allow_inf_nan=False)
    """Longest time to wait for one reply, in seconds; then it is a failure in the ledger."""
    context: int | None = Field(default=None, ge=256)
    """Own server: most tokens of prompt and reply; null for all that the base takes."""
    kv_cache_gib: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Own server: memory of its attention cache, in GiB; null for 1 on a CPU and all that is free on a GPU."""
    tool_parser: str = Field(default="hermes", pattern=r"^[a-z0-9_]+$")
    """Own server, `simulation.policy: tool_calling`: vLLM's parser of the base's tool calls."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Addresses of servers that run already; none where the run starts its own."""
        return self.urls or ((self.url,) if self.url else ())

    @field_validator("url")
    @classmethod
    def _one_address(cls, url: str | None) -> str | None:
        return None if url is None else _address(url)

    @field_validator("urls")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(map(_address, urls))
        if len(set(found)) != len(found):
            raise ValueError(f"got {list(found)}; expected every server once")
        return found

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.url and self.urls:
            raise ValueError("urls: url is set as well; give one of them")
        if not self.servers:
            for key in ("api_key_env", "folder", "server_folder"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: is for a server that runs already; set url, or delete this key")
            if self.adapters == "loaded":
                raise ValueError(
                    "adapters: loaded is for a server that runs already; set url, or delete this key"
                )
        elif self.adapters == "load" and self.folder is None:
            raise ValueError(
                "folder: missing; name a folder that the server can read too (and server_folder where its path there "
                "is another one), or set adapters: loaded where it has them all"
            )
        if self.server_folder is not None and self.folder is None:
            raise ValueError("server_folder: needs folder, the same folder as this process sees it")
        if self.max_cpu_loras is not None and self.max_cpu_loras < self.max_loras:
            raise ValueError(
                f"max_cpu_loras: got {self.max_cpu_loras}; expected at least max_loras, {self.max_loras}"
            )
        return self


EngineBlock = Annotated[LocalEngineBlock | VllmEngineBlock, Field(discriminator="kind")]

WHERE_AND_HOW_FAST = frozenset(
    {
        "engine.url",
        "engine.urls",
        "engine.api_key_env",
        "engine.folder",
        "engine.server_folder",
        "engine.adapters",
        "engine.max_loras",
        "engine.max_cpu_loras",
        "engine.requests",
        "engine.threads",
        "engine.timeout",
        "engine.kv_cache_gib",
        "engine.warm_mib",
    }
)
"""Keys that a run may be resumed with other values of: they say where a server is and how it is used."""


def _address(url: str) -> str:
    """`http://host:port`, without the `/v1` that many write."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"got {url!r}; expected an address such as http://127.0.0.1:8000")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "holds a user or a password; put the key into an environment variable and name it in api_key_env"
        )
    return url.rstrip("/").removesuffix("/v1")
