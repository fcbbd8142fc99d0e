"""What is written down of a running server: enough to find it again, to talk to it and to end it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from adapters.errors import ServerError
from adapters.processes import ProcessMark

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """One server process and what it serves.

    Args:
        url: its address, without `/v1`.
        api_key: what it asks of its clients; shown nowhere.
        process: the leader of its process group.
        started_at: UTC, ISO 8601.
        base: profile name or folder, as it was asked for.
        base_fingerprint: SHA-256 (hex) of the base's files.
        served_name: what the base is called in requests, NAME@DIGITS of its fingerprint.
        context: most tokens of prompt and reply together.
        max_loras: distinct adapters in one batch.
        max_cpu_loras: adapters in the server's memory.
        max_lora_rank: largest rank of an adapter.
        targets: linears that adapters may change.
        device: `cpu` or `cuda`.
        dtype: of weights and adapters.
        version: of vLLM.
        log: file of its output.
    """

    url: str
    api_key: str = field(repr=False)
    process: ProcessMark
    started_at: str
    base: str
    base_fingerprint: str
    served_name: str
    context: int
    max_loras: int
    max_cpu_loras: int
    max_lora_rank: int
    targets: tuple[str, ...]
    device: str
    dtype: str
    version: str
    log: Path

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the key included."""
        return {**asdict(self), "targets": list(self.targets), "log": str(self.log)}

    @classmethod
    def from_dict(cls, values: object) -> ServerRecord:
        """Rebuild a record from `as_dict`'s values.

        Raises:
            ValueError: for missing or unknown keys, or values of another kind.
        """
        if not isinstance(values, dict) or set(values) != {known.name for known in fields(cls)}:
            raise ValueError(f"expected the keys {', '.join(known.name for known in fields(cls))}")
        try:
            process = ProcessMark.from_record(values["process"])
            changed = {"process": process, "targets": tuple(values["targets"]), "log": Path(values["log"])}
        except (TypeError, KeyError) as error:
            raise ValueError(f"process, targets or log of another kind ({error})") from error
        return cls(**{**values, **changed})


def write_record(file: Path, record: ServerRecord) -> None:
    """Write a record whole or not at all, readable by its owner alone, since it holds the key."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(record.as_dict(), stream, indent=2)
            stream.write("\n")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def read_record(file: Path) -> ServerRecord | None:
    """The record in a file; None when there is no such file.

    Raises:
        ServerError: for a file that is no record.
    """
    try:
        return ServerRecord.from_dict(json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ServerError(
            f"{file}: no record of a server ({error}). Look for a server that still runs "
            f"(`ps -ef | grep api_server`), end it, then delete the file."
        ) from error
