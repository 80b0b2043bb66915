"""Text with colours on a terminal, and the same text without them in a pipe.

Text is marked up as in ``[bold red]error:[/] no such file``; what comes from files or users goes through
``escape`` first. A library for this would take longer to import than most commands take to run.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol, TextIO

from edgesqueeze.base.plain import plain

# Tables stay readable in logs and pipes.
PIPE_WIDTH = 100
DEFAULT_WIDTH = 80
STYLES: Mapping[str, str] = MappingProxyType(
    {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
)
"""Style -> the number in its ANSI escape sequence (ECMA-48, 8.3.117)."""
_STYLE = "|".join(STYLES)
_MARK = re.compile(rf"\[\[|\[(?:(?:{_STYLE})(?: (?:{_STYLE}))*|/(?:(?:{_STYLE}| )+)?)\]")


class Run(NamedTuple):
    """Some characters of one line.

    Attributes:
        text: the characters.
        style: names of ``STYLES`` with spaces between them; may be empty.
    """

    text: str
    style: str = ""


Line = tuple[Run, ...]


class Drawn(Protocol):
    """What draws itself into lines, such as a table."""

    def lines(self, width: int) -> Iterable[Line]:
        """The lines for a screen of so many columns."""


class Screen:
    """Where a command prints.

    Attributes:
        width: columns that the screen has.
    """

    def __init__(self, stream: TextIO | None, width: int, colours: bool) -> None:
        self.width = width
        # A stream that was closed is None.
        self._stream = stream
        self._colours = colours
        encoding = getattr(stream, "encoding", None) or "utf-8"
        self._has_lines = encoding.lower().replace("-", "").startswith("utf")

    def print(self, what: str | Drawn = "", *, wrap: bool = False) -> None:
        """Print marked-up text, or something that draws itself, and end the line.

        Args:
            what: text with markup, of one or more lines; or a table.
            wrap: whether to break long lines between words. Without it the terminal breaks them, and what is
                copied from there is one line.
        """
        if isinstance(what, str):
            lines: Iterable[Line] = parsed(what)
            if wrap:
                lines = (part for line in lines for part in wrapped(line, self.width))
        else:
            lines = what.lines(self.width)
        if self._stream is not None:
            self._stream.write("".join(self._shown(line) for line in lines))

    def _shown(self, line: Line) -> str:
        shown = "".join(self._coloured(run) for run in line).rstrip() + "\n"
        return shown if self._has_lines else shown.replace("─", "-")

    def _coloured(self, run: Run) -> str:
        if not (run.style and self._colours and run.text):
            return run.text
        return f"\x1b[{';'.join(STYLES[name] for name in run.style.split())}m{run.text}\x1b[0m"


def open_screen(*, stderr: bool = False) -> Screen:
    """The terminal, or the pipe in its place: as wide as $COLUMNS, as the terminal, or 100 columns."""
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream is not None and stream.isatty()
    return Screen(stream, _width(stream if is_terminal else None), _has_colours(is_terminal))


def say(text: str, *, stderr: bool = False) -> None:
    """Print text as it is, without markup; control characters become spaces."""
    stream = sys.stderr if stderr else sys.stdout
    if stream is not None:
        stream.write("\n".join(map(plain, text.split("\n"))) + "\n")
        stream.flush()


def say_json(text: str) -> None:
    """Print a JSON document; what could steer a terminal is written as an escape, which means the same."""
    say("".join(char if char.isprintable() or char == "\n" else _escape_of(char) for char in text))


def _escape_of(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def escape(text: str) -> str:
    """Text that markup leaves as it is."""
    return text.replace("[", "[[")


def parsed(markup: str, style: str = "") -> list[Line]:
    """Marked-up text as lines.

    Args:
        markup: the text. ``[bold red]`` begins a style, ``[/]`` ends it, and ``[[`` is a bracket; control
            characters become spaces.
        style: of what has no other.
    """
    lines: list[list[Run]] = [[]]
    place, current = 0, style
    for mark in [*_MARK.finditer(markup), None]:
        _add(lines, markup[place : mark.start() if mark else None], current)
        if mark is None:
            break
        place = mark.end()
        if mark[0] == "[[":
            _add(lines, "[", current)
        else:
            current = style if mark[0].startswith("[/") else mark[0][1:-1]
    return [tuple(line) for line in lines]


def _add(lines: list[list[Run]], text: str, style: str) -> None:
    for number, part in enumerate(text.split("\n")):
        if number:
            lines.append([])
        if part:
            lines[-1].append(Run(plain(part), style))


def width_of(line: Sequence[Run]) -> int:
    """Columns that a line takes."""
    return sum(columns_of(run.text) for run in line)


def columns_of(text: str) -> int:
    """Columns that a text takes: two for each wide character, none for an accent that is put on another."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def wrapped(line: Line, width: int) -> list[Line]:
    """A line in parts of at most so many columns, broken between words; a longer word is broken itself."""
    if width_of(line) <= width:
        return [line]
    parts: list[Line] = []
    current: list[Run] = []
    room = width
    for word in _words(line, width):
        if width_of(_stripped(word)) > room and current:
            parts.append(_stripped(current))
            current, room = [], width
        current += word
        room -= width_of(word)
    return [*parts, _stripped(current)]


def _words(line: Line, width: int) -> Iterator[list[Run]]:
    """Words with the spaces behind them, in pieces where one is wider than ``width``."""
    word: list[Run] = []
    for run in line:
        for char in run.text:
            after_space = bool(word) and word[-1].text.endswith(" ") and char != " "
            if after_space or (char != " " and width_of(word) + columns_of(char) > width):
                yield word
                word = []
            if word and word[-1].style == run.style:
                word[-1] = Run(word[-1].text + char, run.style)
            else:
                word.append(Run(char, run.style))
    if word:
        yield word


def _stripped(runs: Sequence[Run]) -> Line:
    """Without the spaces at the end."""
    kept = list(runs)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Run(kept[-1].text.rstrip(), kept[-1].style)
    return tuple(kept)


def _width(terminal: TextIO | None) -> int:
    named = os.environ.get("COLUMNS", "")
    if named.isdigit() and int(named):
        return int(named)
    if terminal is None:
        return PIPE_WIDTH
    try:
        return os.get_terminal_size(terminal.fileno()).columns or DEFAULT_WIDTH
    except OSError:
        return DEFAULT_WIDTH


def _has_colours(is_terminal: bool) -> bool:
    """Whether to colour: see no-color.org and force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM", "") not in ("dumb", "unknown")
