"""The folder that ``compress`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgesqueeze.base.generated import LIST, write_list
from edgesqueeze.report.page.page import PAGE
from edgesqueeze.report.result import Compressed
from edgesqueeze.runners.firmware_sources import NATIVE_FOLDER
from edgesqueeze.squeeze.opening.save import save_model
from edgesqueeze.squeeze.opening.whole_layer import whole_layers

KERAS_FILE = "model.keras"
FILES = ("model.tflite", KERAS_FILE, "report.json", PAGE)
"""What is written for every target, the page where one is asked for; firmware sources come on top."""


def files_of(model: Any, page: str = "") -> tuple[str, ...]:
    """Those of ``FILES`` that there are for a flat tf_keras model: what is kept whole makes no Keras file."""
    left_out = {KERAS_FILE} if whole_layers(model) else set()
    return tuple(name for name in FILES if name not in left_out | (set() if page else {PAGE}))


def write_result(
    result: Compressed,
    stage: Path,
    folder: Path,
    family: str,
    custom_objects: Mapping[str, Any] | None,
    page: str = "",
) -> Compressed:
    """Write all files into the stage from which they go to a folder.

    Args:
        result: what compression gave.
        stage: an empty folder.
        folder: where the files go. Earlier files of ``compress`` and ``emit`` there may be replaced.
        family: ``keras`` or ``tf_keras``, the package that the model is of.
        custom_objects: the model's own classes by name.
        page: text of the page about it; empty: there is none.

    Returns:
        The result, in whose report the files are named.

    Raises:
        OutputError: a file of the user's own in the folder has the name of one of these.
    """
    names = (*files_of(result.model, page), *result.sources)
    native = [name for name in names if name.startswith(f"{NATIVE_FOLDER}/")]
    lists = (LIST, f"{NATIVE_FOLDER}/{LIST}") if native else (LIST,)
    report = result.report.model_copy(update={"files": (*names, *lists)})
    (stage / "model.tflite").write_bytes(result.tflite.content)
    if KERAS_FILE in names:
        save_model(result.model, family, stage / KERAS_FILE, custom_objects)
    (stage / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for name, text in {**result.sources, **({PAGE: page} if page else {})}.items():
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_text(text, encoding="utf-8", newline="")
    write_list(stage, folder, [name for name in names if name not in native])
    if native:
        inner = [name.removeprefix(f"{NATIVE_FOLDER}/") for name in native]
        write_list(stage / NATIVE_FOLDER, folder / NATIVE_FOLDER, inner)
    return replace(result, report=report)
