"""Run what pages show, and write what it prints where it stands: `make shown`.

A page is run from top to bottom in an empty folder, on a terminal of 80 columns without colours. Of
its blocks

* ``console`` is a session: lines after ``$ `` are commands, those below are what they print. A
  backslash at the end of a command goes on with it on the next line;
* ``python`` runs, in one namespace; a block ``text`` right below it holds what it prints;
* one with a caption is a file of that name;
* ``sh`` is what cannot be run here: `test_shown.py` says of each line why.

A shell's part is small: the commands in `COMMANDS`, ``> FILE``, ``| head -N`` and ``| tail -N``.
"""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib.font_manager  # noqa: F401  # looks for fonts, and says so, before a page is run

from simulator import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    DOCS / "index.md",
    DOCS / "start.md",
    *sorted(DOCS.glob("guides/*.md")),
    *sorted(DOCS.glob("understand/*.md")),
]
TERMINAL = {"COLUMNS": "80", "LINES": "50", "TERM": "dumb", "NO_COLOR": "1"}
PROMPT = "$ "
FENCE = "```"
OPENS = re.compile(r"```(?:\{code-block\} *)?(\w+) *$")
OPTION = re.compile(r":(\w+): *(.*)")
IN_A_LIST = re.compile(r"\s+```(console|python|sh)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    kind : str
        The language that its fence names.
    start, end : int
        Lines between its fences and below its options, from ``start`` up to but without ``end``.
    caption : str, optional
        The name of the file that it is.
    """

    kind: str
    start: int
    end: int
    caption: str | None = None


def blocks(lines: Sequence[str]) -> Iterator[Block]:
    """The blocks of a page that name a language, in their order.

    Raises
    ------
    ValueError
        If a block that is to be run is indented, as in a list, where this does not look for it.
    """
    at = 0
    while at < len(lines):
        if IN_A_LIST.match(lines[at]):
            raise ValueError(f"line {at + 1}: a block that is indented is not run")
        opened = OPENS.match(lines[at])
        if opened:
            end = lines.index(FENCE, at)
            options = {}
            while option := OPTION.match(lines[at + 1]):
                options[option[1]] = option[2]
                at += 1
            at += bool(options) and not lines[at + 1]  # an empty line below options is theirs
            yield Block(opened[1], at + 1, end, options.get("caption"))
            at = end
        at += 1


# A shell's part


class Stream(io.TextIOWrapper):
    """Text that a terminal shows, or that goes elsewhere."""

    def __init__(self, target: io.BytesIO, is_terminal: bool) -> None:
        super().__init__(target, encoding="utf-8", write_through=True)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@contextmanager
def captured(is_terminal: bool = True) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """What is printed to standard output and to standard error; one of both on a terminal.

    Standard error is never taken for a terminal, so that no progress is drawn.
    """
    out = io.BytesIO()
    err = out if is_terminal else io.BytesIO()
    shown, said = Stream(out, is_terminal), Stream(err, False)
    with redirect_stdout(shown), redirect_stderr(said):
        yield out, err


def _nmsim(*arguments: str) -> None:
    """In this process. Where it says that something is not so, it ends with 1 or 2."""
    with patch.object(sys, "argv", ["nmsim", *arguments]):
        try:
            cli.main()
        except SystemExit as end:
            if end.code not in (None, 0, 1, 2):
                raise


def _python(file: str, *arguments: str) -> None:
    with patch.object(sys, "argv", [file, *arguments]):
        runpy.run_path(file, run_name="__main__")


def _cat(file: str) -> None:
    print(Path(file).read_text(encoding="utf-8"), end="")


def _ls() -> None:
    print("  ".join(sorted(path.name for path in Path().iterdir())))


COMMANDS: dict[str, Callable[..., None]] = {
    "nmsim": _nmsim,
    "python": _python,
    "cat": _cat,
    "ls": _ls,
}


def _head(lines: list[str], count: int) -> list[str]:
    return lines[:count]


def _tail(lines: list[str], count: int) -> list[str]:
    return lines[-count:]


FILTERS = {"head": _head, "tail": _tail}


def _parted(words: list[str], sign: str) -> tuple[list[str], list[str]]:
    """Words before and after a sign."""
    at = words.index(sign) if sign in words else len(words)
    return words[:at], words[at + 1 :]


def printed(line: str) -> list[str]:
    """Lines that a command line prints on the terminal.

    Raises
    ------
    ValueError
        If it is none that pages may run.
    """
    words, file = _parted(shlex.split(line, comments=True), ">")
    words, through = _parted(words, "|")
    if not words or words[0] not in COMMANDS or (through and through[0] not in FILTERS):
        raise ValueError(f"not a command that pages run: {line}")
    with captured(is_terminal=not (file or through)) as (out, err):
        COMMANDS[words[0]](*words[1:])
        if file:
            Path(file[0]).write_bytes(out.getvalue())
            return _lines(err)
        lines = _lines(out)
        if through:
            lines = _lines(err) + FILTERS[through[0]](lines, int(through[1].removeprefix("-")))
    return lines


def _lines(text: io.BytesIO) -> list[str]:
    """Without those at the end that are empty."""
    return [line.rstrip() for line in text.getvalue().decode().rstrip().splitlines()]


# Pages


def _session(lines: Sequence[str]) -> Iterator[str]:
    """The commands of a session, each with what it prints now."""
    at = 0
    while at < len(lines):
        first, at = at, at + 1
        if not lines[first].startswith(PROMPT):
            continue  # what it printed when the page was written
        while lines[at - 1].endswith("\\"):
            at += 1
        command = lines[first:at]
        yield from command
        yield from printed("\n".join(command).removeprefix(PROMPT).replace("\\\n", " "))


def _executed(code: str, page: str, before: int, names: dict[str, Any]) -> list[str]:
    """Lines that a block of Python prints; an error names the page and its line."""
    with captured() as (out, _):
        exec(compile("\n" * before + code, page, "exec"), names)
        return _lines(out)


def _text_below(lines: Sequence[str], end: int) -> int | None:
    """The end of the block ``text`` right below the one that ends there, if there is one."""
    at = end + 1
    while at < len(lines) and not lines[at]:
        at += 1
    is_there = at < len(lines) and lines[at] == f"{FENCE}text"
    return lines.index(FENCE, at) if is_there else None


def rewritten(text: str, page: str) -> str:
    """A page with what it prints today; run in this folder."""
    lines, result, at = text.splitlines(), list[str](), 0
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(lines):
        inside = lines[block.start : block.end]
        if block.caption:
            file = Path(block.caption)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(inside) + "\n", encoding="utf-8")
        elif block.kind == "console":
            result += [*lines[at : block.start], *_session(inside)]
            at = block.end
        elif block.kind == "python":
            shown = _executed("\n".join(inside), page, block.start, names)
            below = _text_below(lines, block.end)
            result += lines[at : block.end]
            at = block.end
            if shown or below:
                result += [FENCE, "", f"{FENCE}text", *shown]
                at = below or block.end
    return "\n".join([*result, *lines[at:]]) + "\n"


def run(page: Path) -> str:
    """A page with what it prints today, run in an empty folder."""
    name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
    text = page.read_text(encoding="utf-8")
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        patch.dict(os.environ, TERMINAL),
    ):
        os.environ.pop("FORCE_COLOR", None)
        return rewritten(text, name)


def main(pages: Sequence[Path]) -> None:
    for page in pages or PAGES:
        begun = time.process_time()
        text = run(page.resolve())
        moved = text != page.read_text(encoding="utf-8")
        page.write_text(text, encoding="utf-8")
        print(f"{page}: {time.process_time() - begun:.1f} CPU s{', written anew' * moved}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
