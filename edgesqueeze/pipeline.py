"""The stages in order: a trained Keras model in, a smaller model that is proven to do its job out.

    load -> fold -> prune -> cluster -> (fine-tune) -> convert -> emit -> verify -> fit -> report

Each stage is a plain function in a module of its own; ``compress`` calls one after the other and keeps what
they found. Everything up to ``convert`` needs TensorFlow and lives in ``squeeze/``; what follows works on
the .tflite alone.
"""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.given import expect, path_of
from edgesqueeze.base.output import staged
from edgesqueeze.checks.agreement import fidelity
from edgesqueeze.checks.verify import trouble_on
from edgesqueeze.emit.native.for_target import native_needs, try_for
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.emit.tflm import emit_tflm
from edgesqueeze.errors import (
    AccuracyError,
    MissingToolError,
    RecipeError,
    RequirementError,
    UnsupportedModelError,
)
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.stats import sizes, weight_stats
from edgesqueeze.recipe import Recipe, as_recipe
from edgesqueeze.report.report import ModelInfo, Report, SizeReport, Stage, accuracy_of, chance_level
from edgesqueeze.runners.arena import find_arena
from edgesqueeze.runners.memory import needs_on
from edgesqueeze.squeeze import set_seed
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.data.load import Data, load_data
from edgesqueeze.squeeze.evaluate import chooses_classes, evaluate
from edgesqueeze.squeeze.opening.load import LoadedModel, adopt_model, load_model
from edgesqueeze.squeeze.opening.save import save_model
from edgesqueeze.squeeze.passes.cluster import bare_model, clusterable, settle
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.passes.finetune import Training, finetune, steps_per_epoch
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.promises import check_promises
from edgesqueeze.squeeze.passes.prune import finish_pruning, prunable
from edgesqueeze.squeeze.passes.selection import select
from edgesqueeze.target.fit import NATIVE, check_fit, raise_if_unfit
from edgesqueeze.target.load import as_target
from edgesqueeze.target.needs import needs_of
from edgesqueeze.target.records import Target

PACKAGES = (
    "edgesqueeze",
    "tensorflow",
    "tf-keras",
    "keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
)

# How the training steps are shared among the stages that take place: (prune, cluster, settle).
SHARES = {
    (True, True): (0.5, 0.3, 0.2),
    (True, False): (1.0, 0.0, 0.0),
    (False, True): (0.0, 0.7, 0.3),
    (False, False): (0.0, 0.0, 0.0),
}

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps done in it and the steps in all (0 where they are not counted)."""


NATIVE_FOLDER = "firmware"
"""Where C without a runtime goes in the output folder, which needs a folder of its own."""


@dataclass(frozen=True, eq=False)
class Compressed:
    """What ``compress`` made.

    Attributes:
        report: what was done and found.
        tflite: the .tflite.
        model: the compressed float model as a flat tf_keras model.
        sources: firmware sources by path in the output folder; empty unless the target is a microcontroller.
    """

    report: Report
    tflite: TfliteModel
    model: Any
    sources: Mapping[str, str]


@dataclass
class _Log:
    """Stages and findings as they come."""

    progress: Progress | None
    stages: list[Stage] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; the caller puts more about it into the dictionary."""
        if self.progress:
            self.progress(name, 0, 0)
        more: dict[str, Any] = {}
        start = time.perf_counter()
        yield more
        self.stages.append(Stage(name=name, seconds=round(time.perf_counter() - start, 3), **more))

    def skip(self, name: str, reason: str) -> None:
        """A stage that has nothing to do."""
        self.stages.append(Stage(name=name, seconds=0.0, skipped=reason))

    def steps(self, name: str, total: int) -> Callable[[int], None]:
        """A callback for the training steps of a stage."""
        return lambda done: self.progress(name, done, total) if self.progress else None


@dataclass(frozen=True, eq=False)
class _Job:
    """What all stages look at."""

    loaded: LoadedModel
    data: Data
    recipe: Recipe
    target: Target
    log: _Log


def compress(
    model: Any,
    *,
    target: str | Path | Target,
    data: Any,
    out: str | Path | None = None,
    recipe: str | Path | Recipe | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> Compressed:
    """Compress a trained Keras model for a device.

    TensorFlow's random seeds are set to the recipe's, so that the same inputs give the same bytes.

    Args:
        model: path of a Keras 3 or tf_keras model file, or a model object, which is not changed.
        target: name of a profile, path of one, or a profile.
        data: path of an ``.npz`` or an image folder, ``module:callable``, arrays or a ``tf.data.Dataset``;
            see ``squeeze.data``.
        out: folder for ``model.tflite``, ``model.keras``, ``report.json`` and, for microcontrollers, the
            firmware sources. Nothing is written without it.
        recipe: what to do, or the path of a recipe; full-integer quantization only, if not given.
        custom_objects: the model's own classes by name.
        unsafe: allow model files that hold code (Lambda layers) to run it.
        progress: called as the work goes on.

    Returns:
        The result. Its ``report.ok`` is False when the model does not fit the target or misses a limit of
        the recipe; ``raise_if_not_ok`` makes an exception of that.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        BridgeError: the rebuilt model differs from the original.
        FloatOperatorError: full-integer was asked for and is not possible.
    """
    profile = as_target(target)
    chosen = fill_preferences(as_recipe(recipe), profile)
    log = _Log(progress)
    set_seed(chosen.seed)
    # Staged from the start: a folder that cannot be written is found out before the work, not after it.
    with (
        staged(path_of(out, "a folder for what is made")) if out is not None else nullcontext() as stage,
        readable_samples(),
    ):
        with log.stage("load"):
            from_file = isinstance(model, str | Path)
            loaded = (
                load_model(Path(model), custom_objects=custom_objects, unsafe=unsafe)
                if from_file
                else adopt_model(model)
            )
            opened = load_data(data, loaded.model, chosen.data, chosen.seed)
            log.findings += [*loaded.findings, *opened.findings]
        job = _Job(loaded, opened, chosen, profile, log)
        _check_limit(job)
        squeezed, tflite = _squeeze(job)
        result = _judge(job, squeezed, tflite, _emit(job, tflite))
        return result if stage is None else _write(result, stage, loaded.family, custom_objects)


def fill_preferences(recipe: Recipe, target: Target) -> Recipe:
    """A recipe with the target's preferred quantization and I/O type where it names none."""
    wanted = recipe.quantize.model_dump()
    wanted["mode"] = wanted["mode"] or target.preferences.quantization
    wanted["io"] = wanted["io"] or target.preferences.io
    return recipe.model_copy(update={"quantize": recipe.quantize.model_copy(update=wanted)})


def raise_if_not_ok(report: Report) -> None:
    """Raise if the model does not fit or misses a limit.

    Raises:
        AccuracyError: the accuracy drop is larger than the recipe allows.
        FitError: the model does not fit the target.
    """
    expect(report, Report, "the report of what compress made", "give its ``report``")
    limit = report.recipe.limits.max_accuracy_drop
    if limit is not None:
        drop = _drop(report)
        if drop > limit:
            raise AccuracyError(
                f"the accuracy drop is {drop:.2%}",
                expected=f"at most {limit:.2%}",
                hint="train for more epochs, ask for less sparsity or more clusters, or try int16x8",
            )
    raise_if_unfit(report.fit)


def _drop(report: Report) -> float:
    """Accuracy lost; without labels, the share of samples on which the original's class is not chosen."""
    if report.accuracy is not None and report.accuracy.metric == "accuracy":
        return report.accuracy.drop
    # Not None: _check_limit has seen that the model chooses classes.
    return 1.0 - (report.fidelity.outputs[0].top1_agreement or 0.0)


def _check_limit(job: _Job) -> None:
    """Refuse an accuracy limit for a model without classes before any work is done."""
    if job.recipe.limits.max_accuracy_drop is not None and not chooses_classes(job.loaded, job.data.test):
        raise RecipeError(
            "an accuracy limit was set, but the model does not choose classes",
            expected="class scores as the first output, or no max_accuracy_drop",
        )


def _squeeze(job: _Job) -> tuple[Any, TfliteModel]:
    """Fold, prune, cluster, fine-tune and convert."""
    recipe, log = job.recipe, job.log
    mode = recipe.quantize.mode or "int8"
    with log.stage("fold"):
        folded, findings = fold(job.loaded.model)
        log.findings += findings
    steps = recipe.finetune.epochs * steps_per_epoch(job.data.train, recipe.finetune.batch_size)
    shares = SHARES[(recipe.prune is not None, recipe.cluster is not None)]
    prune_steps, cluster_steps = int(steps * shares[0]), int(steps * shares[1])
    model, pruned = _prune(job, folded, prune_steps)
    model, clustered = _cluster(
        job, folded, model, pruned, cluster_steps, steps - prune_steps - cluster_steps
    )
    with log.stage("convert"):
        tflite, findings = convert(
            model,
            mode,
            recipe.quantize.io or "int8",
            job.data.train,
            recipe.quantize.calibration_samples,
            recipe.seed,
        )
        log.findings += findings
        log.findings += check_promises(model, tflite, recipe, pruned, clustered)
    # Firmware calls the model by the name of the user's file.
    path = job.loaded.path
    return model, replace(tflite, name=path.stem if path else job.loaded.model.name)


def _prune(job: _Job, folded: Any, steps: int) -> tuple[Any, frozenset[str]]:
    recipe = job.recipe.prune
    if recipe is None:
        job.log.skip("prune", "no sparsity was asked for")
        return folded, frozenset()
    with job.log.stage("prune") as stage:
        chosen = select(folded, "prune", recipe.include, recipe.exclude, recipe.first_and_last)
        student, findings = prunable(folded, recipe, chosen.names, steps)
        job.log.findings += [*chosen.skipped, *findings]
        stage.update(_train(job, student, folded, steps, "prune"))
        return finish_pruning(student), chosen.names


def _cluster(
    job: _Job, folded: Any, model: Any, pruned: frozenset[str], steps: int, settle_steps: int
) -> tuple[Any, frozenset[str]]:
    recipe, mode = job.recipe.cluster, job.recipe.quantize.mode or "int8"
    if recipe is None:
        job.log.skip("cluster", "no clusters were asked for")
        return model, frozenset()
    with job.log.stage("cluster") as stage:
        chosen = select(model, "cluster", recipe.include, recipe.exclude, recipe.first_and_last)
        student, findings = clusterable(model, recipe, mode, chosen.names, pruned)
        job.log.findings += [*chosen.skipped, *findings]
        stage.update(_train(job, student, folded, steps, "cluster"))
    with job.log.stage("settle") as stage:
        settled = settle(student, mode, pruned)
        stage.update(_train(job, settled, folded, settle_steps, "settle"))
        return bare_model(settled), chosen.names


def _train(job: _Job, student: Any, teacher: Any, steps: int, stage: str) -> dict[str, Any]:
    """Fine-tune; what the stage's record says about it."""
    if not steps:
        return {}
    options = job.recipe.finetune
    training = Training(steps, options.batch_size, options.learning_rate, options.loss, job.recipe.seed)
    loss = finetune(student, teacher, job.data.train, training, job.log.steps(stage, steps))
    return {"steps": steps, "loss": loss}


def _emit(job: _Job, tflite: TfliteModel) -> Mapping[str, Any]:
    """Firmware sources and what they need: C where the target runs that, else C++ for microcontrollers."""
    if job.target.runtime.name == NATIVE:
        return _emit_native(job, tflite)
    if not job.target.is_mcu:
        job.log.skip("emit", f"{job.target.name} loads the .tflite itself")
        return {}
    try:
        with job.log.stage("emit"):
            source = emit_tflm(tflite, find_arena(tflite, job.target.cpu.core))
    except (MissingToolError, RequirementError, UnsupportedModelError) as error:
        # What TFLM lacks is the fit's business; the model and the report are still worth having.
        job.log.skip("emit", error.problem)
        return {}
    return {"files": source.files, "needs": needs_of(tflite, source.arena.bytes, source.arena.method)}


def _emit_native(job: _Job, tflite: TfliteModel) -> Mapping[str, Any]:
    """C without a runtime. What the generator refuses is a part of the needs, and the fit's business."""
    with job.log.stage("emit") as stage:
        made = try_for(tflite, job.target)
        needs = native_needs(tflite, made)
        if isinstance(made, Refused):
            stage["skipped"] = f"native C does not take the model: {made.refusals[0]}"
            return {"needs": needs}
        return {
            "files": {f"{NATIVE_FOLDER}/{name}": text for name, text in made.files.items()},
            "needs": needs,
        }


def _judge(job: _Job, squeezed: Any, tflite: TfliteModel, sources: Mapping[str, Any]) -> Compressed:
    """Compare with the original, check the fit, and put everything into the report."""
    log = job.log
    with log.stage("verify"):
        seen = evaluate(job.loaded, tflite, job.data.test, job.recipe.data.evaluation_samples)
        shapes = [tensor.shape[1:] for tensor in tflite.main.input_tensors]
        compared = fidelity(seen.original, seen.compressed, seen.labels, shapes)
        rows = len(seen.first.inputs[0])
        log.findings += trouble_on(tflite, seen.first, [one[:rows] for one in seen.original])
        log.findings += chance_level(compared, seen.original)
    with log.stage("fit"):
        needs = sources.get("needs") or needs_on(tflite, job.target)
        fit = check_fit(job.target, needs)
        log.findings += fit.findings
    parameters = job.loaded.model.count_params()
    measured = sizes(tflite)
    report = Report(
        ok=fit.ok,
        model=ModelInfo(
            name=job.loaded.path.name if job.loaded.path else job.loaded.model.name,
            source=job.loaded.source,
            sha256=job.loaded.sha256,
            parameters=parameters,
            bridge_error=job.loaded.bridge_error,
        ),
        target=job.target.name,
        recipe=job.recipe,
        data=job.data.description,
        environment=_environment(),
        stages=tuple(log.stages),
        weights=weight_stats(tflite),
        fidelity=compared,
        accuracy=accuracy_of(compared),
        sizes=SizeReport(
            float_bytes=4 * parameters,
            tflite_bytes=measured.tflite_bytes,
            tflite_deflate_bytes=measured.tflite_deflate_bytes,
            arena_bytes=needs.arena_bytes if "needs" in sources else None,
        ),
        fit=fit,
        findings=tuple(log.findings),
    )
    limit = job.recipe.limits.max_accuracy_drop
    report = report.model_copy(update={"ok": fit.ok and (limit is None or _drop(report) <= limit)})
    return Compressed(report, tflite, squeezed, sources.get("files", {}))


def _environment() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed as a package"
    return versions


def _write(
    result: Compressed, stage: Path, family: str, custom_objects: Mapping[str, Any] | None
) -> Compressed:
    """Write all files to the stage; they appear together when it is left."""
    names = ("model.tflite", "model.keras", "report.json", *result.sources)
    report = result.report.model_copy(update={"files": names})
    (stage / "model.tflite").write_bytes(result.tflite.content)
    save_model(result.model, family, stage / "model.keras", custom_objects)
    (stage / "report.json").write_text(report.model_dump_json(indent=2) + "\n")
    for name, text in result.sources.items():
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_text(text)
    return Compressed(report, result.tflite, result.model, result.sources)
