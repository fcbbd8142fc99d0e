"""Markdown pages as something to check: their code blocks run in order, their links looked up.

How pages are written so that they can be run:

- In a `console` block, lines that start with `$ ` are commands; what follows is what they print.
- A `text` block right after a `python` block is what that block prints. The `python` blocks of a page share names.
- What is shown need not be all: each line shown has to occur among those printed, in order; `...` stands for
  anything.
- A shown line that starts with `plures: ` is an error: the command has to print it and exit with 2.
- `<!-- file: NAME -->` before a block writes it to NAME. `<!-- not run: REASON -->` before a block leaves it out.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sim.cli.app import main

REPOSITORY = Path(__file__).parents[1]

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (?P<key>file|not run): (?P<value>.+?) -->\s*\Z")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_ERROR = "plures: "


class Block(NamedTuple):
    """One fenced block; `shown` is the text block right after it, `line` where it starts."""

    language: str
    text: str
    shown: str
    line: int
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that are to be run or written, in order."""
    text = page.read_text("utf-8")
    found = list(_FENCE.finditer(text))
    for place, match in enumerate(found):
        mark = _MARK.search(text[: match.start()])
        if mark and mark["key"] == "not run":
            continue
        following = found[place + 1] if place + 1 < len(found) else None
        joined = (
            following is not None
            and following["language"] == "text"
            and not text[match.end() : following.start()].strip()
        )
        yield Block(
            language=match["language"],
            text=match["text"],
            shown=following["text"] if joined and following else "",
            line=text.count("\n", 0, match.start()) + 1,
            file=mark["value"] if mark else None,
        )


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Command and shown output, one pair for each `$ ` line of a console block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command.split("   #")[0].strip(), shown


def links(page: Path) -> Iterator[str]:
    """Targets of all links outside code."""
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text("utf-8")))
    return (match["target"] for match in _LINK.finditer(text))


def anchors(page: Path) -> set[str]:
    """What `page#…` may point at, as GitHub makes it of headings."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    titles = (match["title"].lower() for match in _HEADING.finditer(text))
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}


def missing_lines(shown: str, printed: str) -> list[str]:
    """Shown lines that do not occur in order among the printed ones; white space counts as one space."""
    there = iter([_folded(line) for line in printed.splitlines()])
    return [
        line
        for line in map(_folded, shown.splitlines())
        if line and not any(map(_pattern(line).fullmatch, there))
    ]


def _folded(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, re.split(r"\.{3,}", line))).replace(r"\ .*", r"\ ?.*"))


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass
class Session:
    """Runs a page in the current directory.

    Args:
        page: for messages.
        shrink: beginning of a command → words that are added to it, to keep it short.
        left_out: beginnings of commands that are not run.
    """

    page: Path
    shrink: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    names: dict[str, object] = field(default_factory=lambda: {"__name__": "page"})

    def run(self) -> int:
        """Run every block.

        Returns:
            How many commands and python blocks were run.

        Raises:
            AssertionError: naming page, line and command, when anything fails or prints something else.
        """
        count = 0
        for block in blocks(self.page):
            if block.file:
                Path(block.file).write_text(block.text, "utf-8")
            elif block.language == "python":
                self._python(block)
                count += 1
            elif block.language == "console":
                for command, shown in commands(block):
                    if command.startswith(self.left_out):
                        continue
                    self._command(f"{self.page.name}:{block.line}: {command}", command, shown)
                    count += 1
        return count

    def _python(self, block: Block) -> None:
        code = compile("\n" * block.line + block.text, str(self.page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, self.names)
        where = f"{self.page.name}:{block.line}"
        assert not (lost := missing_lines(block.shown, printed.getvalue())), _lost(
            where, lost, printed.getvalue()
        )

    def _command(self, where: str, command: str, shown: str) -> None:
        for beginning, extra in self.shrink.items():
            command += f" {extra}" if command.startswith(beginning) else ""
        ran = run_command(command)
        fails = shown.startswith(_ERROR)
        assert ran.code == (2 if fails else 0), f"{where}\nexit status {ran.code}\n{ran.out}\n{ran.err}"
        printed = ran.err if fails else ran.out
        assert not (lost := missing_lines(shown, printed)), _lost(where, lost, printed)


def _lost(where: str, lost: list[str], printed: str) -> str:
    return f"{where}\nshown, but not printed in this order: {lost}\nprinted:\n{printed}"


def run_command(command: str) -> Ran:
    """Run one command line: `plures` in this process, which has paid for the imports; the rest by the shell."""
    words = shlex.split(command)
    if words[0] != "plures":
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)
    before, sys.argv = sys.argv, words
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            try:
                main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
    finally:
        sys.argv = before
    return Ran(code, out.getvalue(), err.getvalue())
