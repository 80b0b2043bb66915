"""What each operator takes, as node data for Google's Model Explorer, which lays them over the graph.

The form is that of ``GraphNodeData`` in the package ``ai-edge-model-explorer`` (0.1): values by the name of
an operator's output tensor, and colours from the least to the largest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from edgesqueeze.base.given import path_of
from edgesqueeze.base.output import write_files
from edgesqueeze.errors import UsageError
from edgesqueeze.report.details import errors_of
from edgesqueeze.report.documents import find_document, read_document
from edgesqueeze.report.front import BEST, Front
from edgesqueeze.report.made import Made, made_of, profile_of, read_made, runtime_meant
from edgesqueeze.report.page.layers import Layer, OnTarget, on_target
from edgesqueeze.target.records import Target

GRADIENT = ({"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#e69f00"})

METRICS: Mapping[str, tuple[str, Callable[[Layer], float | None]]] = MappingProxyType(
    {
        "latency": ("latency, ms", lambda layer: layer.ms.estimate if layer.ms else None),
        "error": ("error, share of the spread", lambda layer: layer.error),
        "sparsity": ("zero weights, share", lambda layer: layer.zeros),
    }
)
"""Name of the file -> title of the figure, and the figure of an operator; None where it has none."""


def write_node_data(
    folder: str | Path,
    out: str | Path,
    *,
    target: str | Path | Target | None = None,
    runtime: str = "",
) -> tuple[Path, ...]:
    """Write a file for each figure that is known: ``latency.json``, ``error.json``, ``sparsity.json``.

    Args:
        folder: has ``report.json`` and ``model.tflite``; of a search, the best finalist is meant. Or the path
            of the document in it.
        out: folder for the files.
        target: the profile, where the report's name does not find it.
        runtime: the runtime whose time is told; the target's own by default.

    Returns:
        The files.

    Raises:
        UsageError: the folder is not one that ``compress`` or ``search`` wrote.
        OutputError: the files cannot be written.
    """
    made = _made(path_of(folder, "a folder that compress or search wrote, or a document in it"))
    place = path_of(out, "a folder for the files")
    profile = profile_of(made.report.target, target)
    shown = runtime_meant(made.report, profile, runtime)
    files = node_data(on_target(made.model, profile, shown, errors_of(made.report.details)))
    write_files(place, files)
    return tuple(place / name for name in files)


def _made(given: Path) -> Made:
    """What ``compress`` made; of a search the best."""
    file = find_document(given)
    document = read_document(file)
    if not isinstance(document, Front):
        return made_of(document, file)
    if document.best is None:
        raise UsageError(
            f"the search in {file} found no model",
            expected="a search with a best finalist",
            got=document.reason,
            hint="search again with other limits",
        )
    return read_made(file.parent / BEST)


def node_data(found: OnTarget) -> dict[str, str]:
    """Name of each file -> its text."""
    files = {}
    for name, (title, figure) in METRICS.items():
        values = {
            layer.name: value
            for layer in found.layers
            if layer.number is not None and (value := figure(layer)) is not None
        }
        if values:
            results = {tensor: {"value": value} for tensor, value in values.items()}
            text = json.dumps({"name": title, "results": results, "gradient": GRADIENT}, indent=2)
            files[f"{name}.json"] = text + "\n"
    return files
