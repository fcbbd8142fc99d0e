"""Reading a scenario file: every problem at once, each with its line, its key, what was expected and a way out."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sim.engine_blocks import VllmEngineBlock
from sim.errors import ScenarioError
from sim.scenario import EdgeListGraph, FileCorpus, Scenario

KeyPath = tuple[str | int, ...]

_PATHS = ("base", "corpus.path", "follow_graph.path", "engine.folder")


class _Lines(dict[KeyPath, int]):
    """Line number of every key in a YAML file, 1-based."""

    def nearest(self, path: KeyPath) -> int | None:
        """The line of `path`, or of the closest key above it."""
        while path and path not in self:
            path = path[:-1]
        return self.get(path)


def load_scenario(path: Path | str, overrides: Sequence[str] = ()) -> Scenario:
    """Read and check a scenario.

    Args:
        path: a YAML file; relative paths inside it start at its folder.
        overrides: `key.sub=value` settings that win over the file; the value is read as YAML. Relative paths
            in them start at the current folder, as on any command line.

    Raises:
        ScenarioError: one line for each problem.
    """
    path = Path(path)
    return parse_scenario(_read(path), path, overrides)


def parse_scenario(text: str, path: Path, overrides: Sequence[str] = ()) -> Scenario:
    """Check the text of a scenario that need not be saved yet.

    Args:
        text: YAML.
        path: where it stands or would stand: the name in messages, and where relative paths start.
        overrides: as for `load_scenario`.

    Raises:
        ScenarioError: one line for each problem.
    """
    data, lines = _parse(text, path)
    return _checked(data, overrides, str(path), lines, path.parent)


def scenario_from(data: Mapping[str, Any], overrides: Sequence[str], *, folder: Path) -> Scenario:
    """Check a scenario that stands in no file.

    Args:
        data: as the YAML would hold it.
        overrides: as for `load_scenario`.
        folder: where relative paths start.

    Raises:
        ScenarioError: one line for each problem.
    """
    return _checked(copy.deepcopy(dict(data)), overrides, "scenario", _Lines(), folder)


def _checked(
    data: dict[str, Any], overrides: Sequence[str], name: str, lines: _Lines, folder: Path
) -> Scenario:
    for override in overrides:
        _apply_override(data, override)
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        problems = [_problem(name, lines, details) for details in error.errors()]
        raise ScenarioError("\n".join(dict.fromkeys(problems))) from error
    return _anchored(scenario, folder)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        near = sorted(str(p) for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        hint = f" Scenarios there: {', '.join(near)}." if near else ""
        raise ScenarioError(f"{path}: no such file.{hint}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error


def _parse(text: str, path: Path) -> tuple[dict[str, Any], _Lines]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ScenarioError(f"{where}: no valid YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(data, dict):
        raise ScenarioError(
            f"{path}: expected `key: value` lines, starting with `name: …`; got {_kind(data)}"
        )
    lines = _Lines()
    _collect(path, root, (), lines)
    return data, lines


def _collect(path: Path, node: yaml.Node | None, prefix: KeyPath, lines: _Lines) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = (*prefix, str(key_node.value))
            line = key_node.start_mark.line + 1
            if key in lines:
                raise ScenarioError(
                    f"{path}:{line}: {_dotted(key)}: given twice, first on line {lines[key]}. Delete one."
                )
            lines[key] = line
            _collect(path, value_node, key, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*prefix, index)] = item.start_mark.line + 1
            _collect(path, item, (*prefix, index), lines)


def _apply_override(data: dict[str, Any], override: str) -> None:
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise ScenarioError(f"--set {override}: expected KEY=VALUE, for example population.size=32")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise ScenarioError(f"--set {override}: the value is no valid YAML") from error
    *parents, last = key.split(".")
    here = data
    for parent in parents:
        here = here.setdefault(parent, {})
        if not isinstance(here, dict):
            raise ScenarioError(f"--set {override}: {parent} is no block with keys of its own")
    here[last] = _on_command_line(key, value)


def _on_command_line(key: str, value: object) -> object:
    """A path absolute, anything else as it is; a base is a path only where there is such a folder."""
    if not isinstance(value, str) or key not in _PATHS:
        return value
    path = _from(Path.cwd(), Path(value))
    return value if key == "base" and not path.is_dir() else str(path)


def _problem(name: str, lines: _Lines, details: ErrorDetails) -> str:
    keys = _without_tags(details["loc"])
    line = lines.nearest(keys)
    where = f"{name}:{line}" if line is not None else name
    value = details["input"]
    if details["type"] == "extra_forbidden":
        return f"{where}: {_dotted(keys)}: unknown key.{_suggestion(keys, details['loc'])}"
    if details["type"] == "missing":
        return f"{where}: {_dotted(keys)}: missing. Add it."
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "value_error":
        prefix = f"{_dotted(keys)}: " if keys else ""
        return f"{where}: {prefix}{message}"
    return f"{where}: {_dotted(keys)}: got {value!r}; {message[0].lower()}{message[1:]}"


def _without_tags(loc: Iterable[str | int]) -> KeyPath:
    """pydantic puts the tag of a discriminated union into the path; the file has no such key."""
    keys: list[str | int] = []
    for part in loc:
        block = _block_at(tuple(keys))
        if block and isinstance(part, str) and part in _tags(block):
            continue
        keys.append(part)
    return tuple(keys)


def _tags(blocks: Sequence[type[BaseModel]]) -> set[str]:
    if len(blocks) < 2:
        return set()
    return {tag for b in blocks for tag in _kinds(b)}


def _kinds(block: type[BaseModel]) -> set[str]:
    """Values of `kind` under which a block of a union is meant."""
    return set(get_args(block.model_fields["kind"].annotation))


def _block_at(keys: KeyPath) -> list[type[BaseModel]]:
    """The scenario blocks that can stand at `keys`; several for a union."""
    blocks: list[type[BaseModel]] = [Scenario]
    for key in keys:
        annotations = [b.model_fields[key].annotation for b in blocks if key in b.model_fields]
        blocks = [t for a in annotations for t in _models(a)]
    return blocks


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [t for part in get_args(annotation) for t in _models(part)]


def _suggestion(keys: KeyPath, loc: Sequence[str | int]) -> str:
    """The key that was meant, or all there are; of a union, those of the block that pydantic names in `loc`."""
    blocks = _block_at(keys[:-1])
    valid = sorted(
        {name for b in blocks if len(blocks) < 2 or _kinds(b) & set(loc) for name in b.model_fields}
    )
    close = difflib.get_close_matches(str(keys[-1]), valid, n=1)
    return f" Did you mean {close[0]}?" if close else f" Valid keys: {', '.join(valid)}."


def _dotted(keys: KeyPath) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def _kind(value: object) -> str:
    return "an empty file" if value is None else f"a {type(value).__name__}"


def _anchored(scenario: Scenario, folder: Path) -> Scenario:
    """Make paths inside the scenario absolute."""
    changes: dict[str, object] = {}
    if isinstance(scenario.corpus, FileCorpus):
        changes["corpus"] = scenario.corpus.model_copy(update={"path": _from(folder, scenario.corpus.path)})
    if isinstance(scenario.follow_graph, EdgeListGraph):
        path = _from(folder, scenario.follow_graph.path)
        changes["follow_graph"] = scenario.follow_graph.model_copy(update={"path": path})
    if isinstance(scenario.engine, VllmEngineBlock) and scenario.engine.folder is not None:
        path = _from(folder, scenario.engine.folder)
        changes["engine"] = scenario.engine.model_copy(update={"folder": path})
    as_folder = _from(folder, Path(scenario.base))
    named_as_path = scenario.base.startswith((".", "/", "~"))
    if named_as_path or ("/" in scenario.base and as_folder.is_dir()):
        changes["base"] = str(as_folder)
    return scenario.model_copy(update=changes)


def _from(folder: Path, path: Path) -> Path:
    return (folder / path.expanduser()).resolve()


def as_plain(scenario: Scenario) -> Mapping[str, Any]:
    """The scenario as resolved, in JSON types: what the manifest keeps."""
    return scenario.model_dump(mode="json")
