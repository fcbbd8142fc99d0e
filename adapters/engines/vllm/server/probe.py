"""Short questions to a server: is it healthy, is it ours, which adapters does it hold."""

from __future__ import annotations

from typing import NamedTuple

from adapters.errors import ServerError

_SECONDS = 5.0


class ServedModels(NamedTuple):
    """What a server answers for: names of bases, and of adapters that were loaded into it."""

    bases: tuple[str, ...]
    adapters: tuple[str, ...]


def is_healthy(url: str) -> bool:
    """Whether the server answers, and its engine behind it is alive. Asks for no key."""
    import httpx

    try:
        answer = httpx.get(f"{url}/health", timeout=_SECONDS, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


def served_models(url: str, api_key: str) -> ServedModels:
    """The names that requests may use.

    Raises:
        ServerError: when the server does not answer, refuses the key or is no vLLM.
    """
    import httpx

    try:
        answer = httpx.get(
            f"{url}/v1/models",
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=_SECONDS,
            trust_env=False,
        )
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise ServerError(
                f"{url}: refuses the key (401); another server answers there, or the key is an old one"
            )
        answer.raise_for_status()
        models = answer.json()["data"]
        return ServedModels(
            tuple(str(model["id"]) for model in models if model.get("parent") is None),
            tuple(str(model["id"]) for model in models if model.get("parent") is not None),
        )
    except httpx.HTTPError as error:
        raise ServerError(f"{url}: does not list its models ({error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServerError(f"{url}/v1/models: not the answer of a vLLM server ({error!r})") from error
