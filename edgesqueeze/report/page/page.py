"""One self-contained page of HTML about what ``compress`` or ``search`` made: it loads and sends nothing."""

from __future__ import annotations

from pathlib import Path

from edgesqueeze.base.generated import listed, write_list
from edgesqueeze.base.given import path_of
from edgesqueeze.base.output import staged, write_file
from edgesqueeze.report.documents import Document, find_document, read_document
from edgesqueeze.report.front import BEST, Front
from edgesqueeze.report.made import Made, made_of, profile_of, read_made, runtime_meant
from edgesqueeze.report.page.front import front_page
from edgesqueeze.report.page.html import html
from edgesqueeze.report.page.sections import values_of
from edgesqueeze.target.records import Target

PAGE = "report.html"


def write_page(
    folder: str | Path,
    file: str | Path | None = None,
    *,
    target: str | Path | Target | None = None,
    runtime: str = "",
) -> Path:
    """Write the page about a folder that ``compress`` or ``search`` wrote.

    Args:
        folder: has ``report.json`` and ``model.tflite``, or ``front.json`` and the folder ``best``; or the
            path of the ``report.json`` or ``front.json`` in it.
        file: where the page goes; ``report.html`` in the folder by default.
        target: the profile, where the report's name does not find it.
        runtime: the runtime whose time and memory are shown; the target's own by default.

    Returns:
        Where the page is.

    Raises:
        UsageError: the folder is not one that ``compress`` wrote.
        OutputError: the file cannot be written, or the folder has one of its name that is the user's own; or
            it is one that compress or search wrote.
        MissingToolError: the package that draws charts is not installed.
    """
    document = find_document(path_of(folder, "a folder that compress or search wrote, or a document in it"))
    own = document.parent
    text = _text(read_document(document), document, target, runtime)
    place = own / PAGE if file is None else path_of(file, "a file for the page")
    # Listed as generated, however it was named.
    if place.name == PAGE and place.parent.resolve() == own.resolve():
        with staged(own) as stage:
            (stage / PAGE).write_text(text, encoding="utf-8", newline="")
            write_list(stage, own, [PAGE])
    else:
        made = (document.name, "model.tflite", *listed(own))
        write_file(place, text, "--html", [own / name for name in made])
    return place


def page(made: Made, target: Target | None, runtime: str = "") -> str:
    """The text of the page about what ``compress`` made; arguments as ``sections.values_of``."""
    return html("page.html.j2", values_of(made, target, runtime))


def _text(document: Document, file: Path, target: str | Path | Target | None, runtime: str) -> str:
    if isinstance(document, Front):
        best_folder = file.parent / BEST
        best = None if document.best is None or not best_folder.exists() else read_made(best_folder)
        profile = profile_of(document.target, target)
        shown = runtime if best is None else runtime_meant(best.report, profile, runtime)
        return front_page(document, best, profile, shown)
    made = made_of(document, file)
    profile = profile_of(made.report.target, target)
    return page(made, profile, runtime_meant(made.report, profile, runtime))
