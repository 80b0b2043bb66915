"""Folders as ``compress`` writes them, made in a moment and without TensorFlow."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.stages import Stage
from edgesqueeze.checks.agreement import fidelity
from edgesqueeze.checks.choices import choices_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.stats import weight_stats
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.report import ModelInfo, Report, SizeReport, accuracy_of, problems_of
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.load import as_target
from edgesqueeze.target.needs import needs_of
from edgesqueeze.target.preferences import fill_preferences

SAMPLES = 200


def deep_classifier(blocks: int = 13) -> bytes:
    """A network of separable convolutions: twice as many layers as blocks, and five more."""
    graph = GraphBuilder(seed=5)
    x = graph.conv2d(graph.input((1, 16, 16, 1)), 16)
    for _ in range(blocks):
        x = graph.conv2d(graph.depthwise_conv2d(x), 24, kernel=1)
    x = graph.average_pool(x, 16)
    return graph.build([graph.softmax(graph.fully_connected(graph.reshape(x, (1, 24)), 10))])


def regressor() -> bytes:
    """A small network of dense layers with one output."""
    graph = GraphBuilder(seed=6)
    x = graph.fully_connected(graph.input((1, 10)), 32)
    return graph.build([graph.fully_connected(x, 1)])


def write_compressed(
    folder: Path,
    content: bytes,
    *,
    target: str = "nucleo-l4r5zi",
    classes: int = 0,
    labelled: bool = True,
    name: str = "model.keras",
    **changes: Any,
) -> Report:
    """Write the folder; the outputs that the report is about are made up.

    Args:
        folder: is made.
        content: the .tflite.
        target: name of the profile.
        classes: how many the model tells apart; 0: it gives one value.
        labelled: whether there are labels.
        name: of the original's file.
        changes: other values for fields of the report.
    """
    random = np.random.default_rng(1)
    model, profile = parse_tflite(content), as_target(target)
    original = random.normal(size=(SAMPLES, classes or 1)).astype(np.float32)
    compressed = original + random.normal(size=original.shape, scale=0.3).astype(np.float32)
    labels = original.argmax(axis=-1) if classes else original[:, 0] * 1.1
    found = fidelity([original], [compressed], [labels] if labelled else None)
    report = Report(
        ok=True,
        model=ModelInfo(
            name=name, source="Keras 3, .keras", sha256="0" * 64, parameters=9000, bridge_error=0
        ),
        target=profile.name,
        recipe=_recipe(profile.name),
        data="data.npz",
        environment={"python": "3.11", "edgesqueeze": "0.1.0"},
        stages=(Stage(name="load", seconds=0.5), Stage(name="channels", seconds=0, skipped="not asked for")),
        weights=weight_stats(model),
        fidelity=found,
        choices=choices_of([found.outputs[0].task], [original], [compressed], [labels] if labelled else None),
        accuracy=accuracy_of(found),
        sizes=SizeReport(
            float_bytes=36000,
            tflite_bytes=len(content),
            tflite_deflate_bytes=len(zlib.compress(content, 9)),
            arena_bytes=None,
        ),
        fit=check_fit(profile, needs_of(model, 20_000, "made up")),
        findings=(Finding(code="prune-skipped", subject="stem", message="it is the first layer"),),
    ).model_copy(update=changes)
    report = report.model_copy(update={"ok": not problems_of(report)})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(content)
    (folder / "report.json").write_text(report.model_dump_json(indent=2), encoding="utf-8")
    return report


def _recipe(target: str) -> FilledRecipe:
    asked = {"prune": {"sparsity": 0.5}, "limits": {"max_accuracy_drop": 0.5}}
    return fill_preferences(parse_recipe(asked), as_target(target))
