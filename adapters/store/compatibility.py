"""Whether an adapter may be used with a base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from adapters.errors import BaseMismatchError
from adapters.store.catalog.policies import check_in_use
from adapters.store.manifest import Manifest

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter
    from adapters.store.store import AdapterStore


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


@dataclass(frozen=True)
class AdaptersFor:
    """A store as one base may use it: an engine's reader that refuses adapters of other bases.

    Args:
        base: the one that the engine runs.
        store: where adapters are opened.
    """

    base: BaseIdentity
    store: AdapterStore

    def open(self, revision: str) -> Adapter:
        """Read an adapter that was made for this base.

        Raises:
            BaseMismatchError: it was made for another.
            RetiredError: it is out of use.
            UnknownAdapterError: no such revision.
            CorruptAdapterError: damaged files.
        """
        check_in_use(self.store.row(revision))
        check_base(self.store.manifest(revision), self.base)
        return self.store.open(revision)
