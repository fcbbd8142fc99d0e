"""Write the reference pages from the code: `python docs/generate.py`. A test fails when they are out of date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from metrics.catalogue import CATALOGUE, Metric
from sim.cli.app import app
from sim.scenario import Scenario

DOCS = Path(__file__).parent


def cli_page() -> str:
    """Every command's `--help`."""
    group = typer.main.get_command(app)
    parts = ["# Command line\n\nGenerated from `--help` by `python docs/generate.py`.\n"]
    for words in _commands(group):
        shown = CliRunner().invoke(
            app, [*words, "--help"], prog_name="plures", env={"COLUMNS": "100", "PLURES_STORE": ""}
        )
        text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        parts.append(f"## plures {' '.join(words)}".rstrip() + f"\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def scenario_page() -> str:
    """Every scenario key with its type, default and meaning."""
    intro = (
        "# Scenario keys\n\nGenerated from `sim/scenario.py` by `python docs/generate.py`. Unknown keys are errors. "
        "`plures validate FILE` checks a scenario; `--set key.sub=value` overrides a key.\n"
    )
    rows = [f"| `{key}` | {kind} | {default} | {text} |" for key, kind, default, text in _keys(Scenario, "")]
    return "\n".join([intro, "| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows, ""])


def measures_page() -> str:
    """Every measure with its unit, range, definition and source, group by group."""
    parts = [
        "# Measures\n\nGenerated from `metrics/catalogue.py` by `python docs/generate.py`. Every measure is taken "
        "at every step, of everything up to and including it; comparisons use the last step. The positive side is "
        "the first of `population.sides`. *Ours* marks what no source prints. How conditions are compared, and "
        "what each tells: [comparison.md](comparison.md).\n"
    ]
    head = "| measure | definition | unit, range | larger means | no value when | source |"
    for group in dict.fromkeys(metric.group for metric in CATALOGUE.values()):
        rows = [_measure_row(metric) for metric in CATALOGUE.values() if metric.group == group]
        parts.append("\n".join([f"## {group.capitalize()}\n", head, "| --- " * 6 + "|", *rows, ""]))
    return "\n".join(parts)


def _measure_row(metric: Metric) -> str:
    least, most = (f"{bound:g}".replace("inf", "∞").replace("-", "−") for bound in (metric.low, metric.high))
    ratio = "; ratios make sense" if metric.ratio else ""
    cells = (
        f"{metric.label}<br>`{metric.id}`",
        metric.definition,
        f"{metric.unit}, {least} … {most}{ratio}",
        metric.higher_means,
        metric.nan_means,
        metric.source,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _commands(group: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield prefix
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*prefix, name))
        else:
            yield (*prefix, name)


def _keys(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        blocks = list(_blocks(field.annotation))
        yield (
            key,
            _kind(field, blocks),
            _default(field, blocks),
            (field.description or "").replace("|", "\\|"),
        )
        for block in blocks:
            inside = f"{key}({_tag(block)})." if len(blocks) > 1 else f"{key}."
            yield from (row for row in _keys(block, inside) if len(blocks) == 1 or row[0] != f"{inside}kind")


def _tag(block: type[BaseModel]) -> str:
    return str(get_args(block.model_fields["kind"].annotation)[0])


def _blocks(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _blocks(part)


def _kind(field: FieldInfo, blocks: list[type[BaseModel]]) -> str:
    if blocks:
        return f"block, kind {' or '.join(map(_tag, blocks))}" if len(blocks) > 1 else "block"
    limits = ", ".join(
        f"{sign} {value}"
        for bound in field.metadata
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if (value := getattr(bound, attribute, None)) is not None
    )
    return _type(field.annotation) + (f", {limits}" if limits else "")


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin is tuple:
        return "list of " + " or ".join(dict.fromkeys(_type(a) for a in args if a is not ...))
    if origin in (Union, UnionType):
        return " or ".join(_type(a) for a in args)
    if annotation is NoneType:
        return "null"
    names = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}
    return names.get(annotation) or " or ".join(f"`{value}`" for value in annotation)


def _default(field: FieldInfo, blocks: list[type[BaseModel]]) -> str:
    if blocks:
        return ""
    if field.default is PydanticUndefined:
        return "(needed)"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    text = "null" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{text}`" if text else ""


PAGES = {"cli.md": cli_page, "scenario.md": scenario_page, "measures.md": measures_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
