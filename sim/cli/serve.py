"""`plures serve`: a vLLM server on this machine, from its installation to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sim.cli.adapter_options import AsJson, print_json, print_table

if TYPE_CHECKING:
    from adapters.engines.vllm.server.service import Status

app = typer.Typer(
    help="A vLLM server on this machine: install it, start it, look at it, stop it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Device = Literal["cpu", "cuda"]
Environment = Annotated[
    Path | None,
    typer.Option(
        "--env",
        help="Folder of vLLM's own virtual environment; default $PLURES_VLLM_ENV, else .venv-vllm.",
        show_default=False,
    ),
]
State = Annotated[
    Path,
    typer.Option("--state", help="Folder of the server's record and log.", envvar="PLURES_SERVER"),
]
_STATE = Path("runs/server")


@app.command("install")
def install(
    env: Environment = None,
    device: Annotated[Device, typer.Option(help="What vLLM is to run on.")] = "cpu",
) -> None:
    """Put vLLM into a virtual environment of its own, or go on where that was cut short.

    Example: plures serve install --env .venv-vllm
    """
    from adapters.engines.vllm.server.environment import environment_folder
    from adapters.engines.vllm.server.installation import install as install_vllm

    with _told("Installing vLLM, which takes minutes") as tell:
        found = install_vllm(environment_folder(env), device, on_line=tell)
    typer.echo(f"vLLM {found.version} for {found.device} in {found.path}")


@app.command("start")
def start(
    base: Annotated[
        str, typer.Option(help="tiny-moe, a fetched base, a hub id or a model folder.")
    ] = "tiny-moe",
    device: Annotated[Device, typer.Option(help="What the environment's vLLM runs on.")] = "cpu",
    dtype: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or float16; default by device.", show_default=False),
    ] = None,
    rank: Annotated[int | None, typer.Option(help="Largest rank of an adapter; default 4.", min=1)] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Linear that adapters may change; may be repeated. Default: attention.", show_default=False
        ),
    ] = None,
    max_loras: Annotated[
        int | None, typer.Option(help="Distinct adapters in one batch; default 64.", min=1)
    ] = None,
    max_cpu_loras: Annotated[
        int | None, typer.Option(help="Adapters in the server's memory; default 4 times that.", min=1)
    ] = None,
    max_sequences: Annotated[int | None, typer.Option(help="Requests decoded together.", min=1)] = None,
    max_batched_tokens: Annotated[int | None, typer.Option(help="Tokens of one forward pass.", min=1)] = None,
    context: Annotated[
        int | None, typer.Option(help="Most tokens of prompt and reply; default all of the base's.", min=1)
    ] = None,
    kv_cache: Annotated[
        float | None,
        typer.Option(help="GiB for the attention cache; default 1 on a CPU, what is free on a GPU."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="OpenMP threads on a CPU; default one bound to every core.", min=1)
    ] = None,
    tensor_parallel: Annotated[
        int | None, typer.Option(help="GPUs that share one copy of the base.", min=1)
    ] = None,
    tool_parser: Annotated[
        str | None, typer.Option(help="vLLM's parser of tool calls, e.g. hermes; default no tool calls.")
    ] = None,
    extra: Annotated[
        list[str] | None,
        typer.Argument(help="After `--`: flags for vLLM as they are.", show_default=False),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="On 127.0.0.1; default a free one.", min=1, max=65535)
    ] = None,
    env: Environment = None,
    state: State = _STATE,
    timeout: Annotated[float, typer.Option(help="Seconds until it must be healthy.", min=1)] = 900,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing while it starts.")] = False,
) -> None:
    """Start a server that goes on by itself, and wait until it is healthy. Ctrl-C during the wait ends it.

    Example: plures serve start --base tiny-moe --max-loras 64
    """
    from adapters.engines.vllm.server.environment import environment_folder
    from adapters.engines.vllm.server.service import service_status, start_service
    from adapters.engines.vllm.server.settings import ServerSettings

    settings = ServerSettings.for_device(
        device,
        base=base,
        dtype=dtype,
        rank=rank,
        targets=None if target is None else tuple(target),
        max_loras=max_loras,
        max_cpu_loras=max_cpu_loras,
        max_sequences=max_sequences,
        max_batched_tokens=max_batched_tokens,
        context=context,
        kv_cache_gib=kv_cache,
        threads=threads,
        tensor_parallel=tensor_parallel,
        tool_parser=tool_parser,
        extra=tuple(extra or ()),
    )
    with nullcontext(_silent) if quiet else _told("Starting vLLM") as tell:
        record = start_service(
            state,
            settings,
            environment_folder(env),
            port=port,
            timeout=timeout,
            on_progress=lambda seconds, line: tell(f"{seconds:.0f} s of at most {timeout:.0f}: {line}"),
        )
    status_now = service_status(state)
    assert status_now is not None
    if as_json:
        print_json(status_now.as_dict())
        return
    _print(status_now)
    typer.echo(
        "\nTo use it from a scenario:\n"
        f"  engine: {{kind: vllm, url: {record.url}, api_key_env: PLURES_VLLM_KEY, folder: runs/served}}\n"
        f"  export PLURES_VLLM_KEY=$(plures serve key --state {state})"
    )


@app.command("status")
def status(state: State = _STATE, as_json: AsJson = False) -> None:
    """Say whether the server is alive and healthy, what it serves and which adapters it holds.

    Exit status 1 when there is none, or it is not healthy.

    Example: plures serve status --json
    """
    from adapters.engines.vllm.server.service import service_status

    found = service_status(state)
    if found is None:
        typer.echo(
            "null" if as_json else f"{state}: no server; `plures serve start --state {state}` starts one"
        )
        raise typer.Exit(1)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found)
    if not found.healthy:
        raise typer.Exit(1)


@app.command("key")
def key(state: State = _STATE) -> None:
    """Print the key that the server asks of its clients.

    Example: plures serve key --state runs/server
    """
    from adapters.engines.vllm.server.service import service_status
    from adapters.errors import ServerError

    found = service_status(state)
    if found is None:
        raise ServerError(f"{state}: no server, so no key; `plures serve start --state {state}` starts one")
    typer.echo(found.record.api_key)


@app.command("stop")
def stop(
    state: State = _STATE,
    grace: Annotated[float, typer.Option(help="Seconds between SIGTERM and SIGKILL.", min=0)] = 20,
) -> None:
    """End the server with all its processes; what it was answering is lost.

    Example: plures serve stop --state runs/server
    """
    from adapters.engines.vllm.server.service import stop_service

    stopped = stop_service(state, grace=grace)
    if stopped is None:
        typer.echo(f"{state}: no server to stop")
        return
    typer.echo(f"{stopped.record.url}: process {stopped.record.pid} {stopped.how}")


@contextmanager
def _told(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner on standard error with `what` and the newest line; without a terminal `what` alone."""
    from rich.markup import escape

    from sim.cli.console import err

    if not err.is_terminal:
        typer.echo(what, err=True)
        yield _silent
        return
    with err.status(what) as shown:
        yield lambda line: shown.update(f"{what}: {escape(line[: err.width - len(what) - 6])}")


def _silent(_line: str) -> None:
    """Tell nobody."""


def _print(found: Status) -> None:
    record = found.record
    left = "gone; `plures serve stop` ends what it left behind" if found.memory else "gone"
    state = "healthy" if found.healthy else "alive, does not answer" if found.alive else left
    slots = f"{record.max_loras} slots of rank up to {record.max_lora_rank}, {record.max_cpu_loras} in memory"
    adapters = "unknown" if found.adapters is None else str(len(found.adapters))
    rows = [
        ("server", f"{record.url}  {state}"),
        ("process", f"{record.pid}" + ("" if found.uptime is None else f", up {_since(found.uptime)}")),
        ("memory", f"{found.memory / 2**30:.1f} GiB"),
        ("vLLM", f"{record.version}, {record.device}, {record.dtype}"),
        ("base", f"{record.served_name}, context {record.context}"),
        ("adapters", f"{adapters} loaded; {slots}"),
        ("log", str(record.log)),
    ]
    print_table(("", ""), rows)


def _since(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
