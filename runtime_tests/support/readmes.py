"""The project's READMEs, taken apart: commands, code, tables, links, and the files that they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click

from edgesqueeze.cli import cli

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("edgesqueeze", "examples", "runtime_tests", "scripts", "targets")


def readmes() -> dict[str, str]:
    """Every README by its path in the repository."""
    paths = [ROOT / "README.md"]
    for folder in FOLDERS:
        paths += sorted((ROOT / folder).rglob("README.md"))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def blocks(language: str, text: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """A README without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def section(title: str, text: str) -> str:
    """The text under a heading that begins so, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}.*?\n(.*?)(?=^#{{1,3}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title}"
    return found[2]


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows, headings and rules left out."""
    lines = prose(text).splitlines()
    tables = [line for i, line in enumerate(lines) if line.startswith("| ") and not _is_head(lines, i)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in tables if "| --- |" not in line]


def _is_head(lines: list[str], i: int) -> bool:
    below = lines[i + 1] if i + 1 < len(lines) else ""
    return bool(re.match(r"\|[ :-]+\|", below)) or bool(re.fullmatch(r"[| :-]+", lines[i]))


def marked(name: str, text: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    found = re.search(rf"<!-- {name} -->(.*?)<!-- /{name} -->", text, re.DOTALL)
    assert found, f"there is no place marked {name}"
    return found[1]


def commands(text: str) -> list[list[str]]:
    """The command lines that a README shows, as words: those behind a prompt, and those of shell scripts."""
    console = "".join(blocks("console", text)).replace("\\\n", " ").splitlines()
    lines = [line.removeprefix("$ ") for line in console if line.startswith("$ ")]
    lines += "".join(blocks("sh", text)).replace("\\\n", " ").splitlines()
    words = (shlex.split(re.sub(r" > [\w.]+$", "", line), comments=True) for line in lines)
    return [one for one in words if one]


def code_words(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def links(text: str) -> list[str]:
    """Where the links lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


def anchors(text: str) -> set[str]:
    """The names of a README's headings in links, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def command_tree() -> Iterator[tuple[str, click.Command]]:
    """All commands by name: ``targets list`` and so on; groups themselves left out."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        elif command is not None:
            yield name, command


@cache
def known_files() -> frozenset[str]:
    """The ends of all paths in the repository: ``a/b/fit.py``, ``b/fit.py``, ``fit.py``."""
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in (*FOLDERS, ".ci"):
        paths += [path for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    ends = (path.relative_to(ROOT).parts for path in paths)
    return frozenset("/".join(parts[i:]) for parts in ends for i in range(len(parts)))
