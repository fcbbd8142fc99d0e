"""Whether an adapter may be used with a base."""

from __future__ import annotations

from typing import Protocol

from adapters.errors import BaseMismatchError
from adapters.store.manifest import Manifest


class BaseIdentity(Protocol):
    """What tells one base from another; `adapters.bases.loader.Base` fits."""

    @property
    def name(self) -> str:
        """How people call it."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of its files."""
        ...


def check_base(manifest: Manifest, base: BaseIdentity) -> None:
    """Let an adapter pass only with the very base that it was made for.

    Raises:
        BaseMismatchError: when the fingerprints differ, whatever the names are.
    """
    if manifest.base_fingerprint == base.fingerprint:
        return
    raise BaseMismatchError(
        f"the adapter was made for base {manifest.base_name!r} with fingerprint {manifest.base_fingerprint}, "
        f"but this is {base.name!r} with fingerprint {base.fingerprint}. Use the base that the adapter was "
        f"made for, or train the adapter again on this one."
    )
