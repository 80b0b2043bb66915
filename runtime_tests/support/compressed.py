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
from edgesqueeze.checks.deviations import deviations_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.stats import weight_stats
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.front import (
    AccuracyBasis,
    FinalistRecord,
    Front,
    LayerLook,
    SearchLimits,
    Takes,
    TrialRecord,
)
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
    truth = [labels] if labelled else None
    found = fidelity([original], [compressed], truth)
    outputs = ([found.outputs[0].task], [original], [compressed], truth)
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
        choices=choices_of(*outputs),
        deviations=deviations_of(*outputs),
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


def write_front(folder: Path, *, trials: int = 12, best: bool = True) -> None:
    """Write a folder as ``search`` does, with a best finalist or a reason why there is none."""
    random = np.random.default_rng(3)
    taken = [
        Takes(
            latency_ms=float(random.uniform(20, 90)),
            flash_kib=float(random.uniform(30, 120)),
            ram_kib=20.0,
            accuracy_drop=float(random.uniform(-0.01, 0.05)),
        )
        for _ in range(trials)
    ]
    recipes = [parse_recipe({"prune": {"sparsity": 0.3 + 0.05 * number}}) for number in range(trials)]
    tried = tuple(
        TrialRecord(
            number=number,
            state="trained",
            recipe=recipe,
            steps=9,
            takes=one,
            expected_drop=one.accuracy_drop,
            seconds=1.0,
        )
        for number, (recipe, one) in enumerate(zip(recipes, taken, strict=True))
    )
    finalists = tuple(
        FinalistRecord(
            number=number,
            folder=f"finalists/{number:04d}",
            recipe=recipes[number],
            takes=taken[number],
            on_front=number != 2,
            score=1.0 + number,
            seconds=9.0,
        )
        for number in range(3)
    )
    front = Front(
        ok=best,
        model="model.keras",
        model_sha256="0" * 64,
        target="nucleo-l4r5zi",
        data="data.npz",
        seed=0,
        objectives=("latency", "size"),
        limits=SearchLimits(),
        accuracy=AccuracyBasis(
            metric="accuracy",
            title="accuracy",
            truth="labels",
            unit="share",
            original=0.9,
            trial_samples=100,
            test_samples=200,
        ),
        baseline=Takes(latency_ms=100.0, flash_kib=130.0),
        left_out={"aware": "it needs labels"},
        layers=(LayerLook(pass_name="prune", layer="stem", accuracy_drop=0.02),),
        trials=tried,
        finalists=finalists if best else (),
        failed={},
        best=0 if best else None,
        reason="" if best else "max_flash of 10 KiB cannot be met: the nearest takes 31 KiB",
        seconds=60.0,
        environment={"python": "3.11"},
    )
    if best:
        write_compressed(folder / "best", deep_classifier(2), classes=10)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "front.json").write_text(front.model_dump_json(indent=2), encoding="utf-8")


def _recipe(target: str) -> FilledRecipe:
    asked = {"prune": {"sparsity": 0.5}, "limits": {"max_accuracy_drop": 0.5}}
    return fill_preferences(parse_recipe(asked), as_target(target))
