"""A comparison for a pull request (Markdown) and for a build server (JUnit XML)."""

from __future__ import annotations

from xml.etree import ElementTree

from edgesqueeze.base.plain import plain
from edgesqueeze.report.compare import Comparison, rows_of, summary

HEADER = ("figure", "old", "new", "change", "may vary by", "")
MARKS = {"worse": "❌ worse", "gone": "❌ gone", "better": "✅ better", "same": "same", "new": "new"}


def as_markdown(comparison: Comparison) -> str:
    """A table in GitHub's Markdown, with the verdict first."""
    verdict = "✅ nothing became worse" if comparison.ok else "❌ worse"
    lines = [
        f"**{verdict}**: {_cell(comparison.old)} → {_cell(comparison.new)} ({summary(comparison)})",
        "",
        "| " + " | ".join(HEADER) + " |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    for *cells, word in rows_of(comparison):
        lines.append("| " + " | ".join([*map(_cell, cells), MARKS[word]]) + " |")
    more = [f"- ❌ {_cell(one)}" for one in comparison.problems]
    more += [f"- {_cell(one)}" for one in comparison.notes]
    return "\n".join([*lines, *(["", *more] if more else []), ""])


def as_junit(comparison: Comparison) -> str:
    """A test suite with a test for each figure and each requirement, as build servers read it.

    The format is that of Ant's JUnit task, of which servers read names, failures and messages.
    """
    failures = sum(one.verdict in ("worse", "gone") for one in comparison.changes) + len(comparison.problems)
    count = len(comparison.changes) + len(comparison.problems)
    suite = ElementTree.Element(
        "testsuite", name="edgesqueeze compare", tests=str(count), failures=str(failures), errors="0"
    )
    for title, old, new, change, tolerance, verdict in rows_of(comparison):
        case = ElementTree.SubElement(suite, "testcase", classname=comparison.kind, name=plain(title))
        if verdict in ("worse", "gone"):
            message = f"{old} -> {new or 'gone'} {change}".strip()
            failure = ElementTree.SubElement(case, "failure", message=plain(message), type=verdict)
            failure.text = plain(f"may vary by: {tolerance}")
    for problem in comparison.problems:
        case = ElementTree.SubElement(suite, "testcase", classname="requirement", name=plain(problem))
        ElementTree.SubElement(case, "failure", message=plain(problem), type="requirement")
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _cell(text: str) -> str:
    """Text that stays in its cell, whatever is in it."""
    for mark in "\\|*_`<>[]":
        text = text.replace(mark, f"\\{mark}")
    return plain(text).replace("\n", " ")
