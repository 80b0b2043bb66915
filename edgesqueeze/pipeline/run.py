"""The stages in order: a trained Keras model in, a smaller model that is proven to do its job out.

    prepare: load, fold  ->  squeeze: the passes of the table, convert  ->  judge: emit, verify, fit

``prepare`` (in ``squeeze/prepare.py``) runs once for a model, ``squeeze`` (in ``squeeze/apply.py``) and
``judge`` once for each recipe; ``compress`` is one after the other, with the result written to a folder. The
passes are the rows of ``PASSES`` in ``recipe/passes.py``; each is a function in a file of its own in
``squeeze/passes``. What follows conversion works on the .tflite alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgesqueeze.base.generated import check_replaceable, generated
from edgesqueeze.base.given import path_of
from edgesqueeze.base.names import read_names
from edgesqueeze.base.output import refuse_inputs, staged
from edgesqueeze.base.stages import Progress
from edgesqueeze.checks.user_metric import as_metric
from edgesqueeze.emit.names import c_name
from edgesqueeze.pipeline.judging import judge
from edgesqueeze.recipe.read import as_recipe
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.closer import look_closer
from edgesqueeze.report.draw import check_drawing
from edgesqueeze.report.folder import FILES, files_of, write_result
from edgesqueeze.report.made import Made
from edgesqueeze.report.page.page import page
from edgesqueeze.report.provenance import Inputs, Provenance, inputs_of, output_hashes
from edgesqueeze.report.result import Compressed
from edgesqueeze.runners.firmware_sources import NATIVE_FOLDER, source_names
from edgesqueeze.squeeze.apply import check_limit, squeeze
from edgesqueeze.squeeze.prepare import prepare
from edgesqueeze.target.chosen_runtime import with_runtime
from edgesqueeze.target.load import as_target
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.target.records import Target
from edgesqueeze.timing.budgets import figures_on


def compress(
    model: Any,
    *,
    target: str | Path | Target,
    data: Any,
    out: str | Path | None = None,
    recipe: str | Path | Recipe | None = None,
    metric: str | Callable[[Any, Any], float] | None = None,
    labels: str | Path | Sequence[str] | None = None,
    runtime: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    html: bool = False,
    progress: Progress | None = None,
) -> Compressed:
    """Compress a trained Keras model for a device; ``raise_if_not_ok`` tells whether the result will do.

    The same inputs give the same bytes: TensorFlow's random seeds are set to the recipe's.

    Args:
        model: path of a Keras 3 or tf_keras model file, or a model object, which is not changed.
        target: name of a profile, path of one, or a profile.
        data: path of an ``.npz`` or an image folder, ``module:callable``, or arrays: see ``squeeze.data``.
        out: folder for the files; nothing is written without it.
        recipe: what to do, or the path of a recipe; full-integer quantization only, if not given.
        metric: what the result is judged by, ``MODULE:CALLABLE`` or a callable of labels and outputs that
            gives a number; see ``checks.user_metric``. By default the metrics of ``checks.metrics``.
        labels: names of the classes in the order of the output, or a text file with one a line, for the
            .tflite's metadata; by default those of a folder of images, if that is what the data are.
        runtime: what will run it: one of the target's runtimes, or ``c``; by default the target's first.
        custom_objects: the model's own classes by name.
        unsafe: allow model files that hold code (Lambda layers) to run it.
        html: whether to look closer and to write a page about it, with some of the test samples in it.
        progress: called as the work goes on.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        OutputError: ``out`` cannot be written, or has a file of the user's own under one of the names.
        BridgeError: the rebuilt model differs from the original.
        FloatOperatorError: full-integer was asked for and is not possible.
    """
    profile = with_runtime(as_target(target), runtime)
    chosen = fill_preferences(as_recipe(recipe), profile)
    check_limit(chosen, own := as_metric(metric))
    names = None if labels is None else read_names(labels)
    if html:
        check_drawing()

    def make() -> tuple[Compressed, str]:
        inputs = inputs_of(model, data, chosen, profile, names)
        prepared = prepare(
            model,
            data=data,
            options=chosen.data,
            seed=chosen.seed,
            metric=own,
            labels=names,
            custom_objects=custom_objects,
            unsafe=unsafe,
            progress=progress,
        )
        squeezed = squeeze(prepared, chosen, figures=figures_on(profile), progress=progress)
        result = traced(judge(prepared, squeezed, profile, progress=progress), inputs)
        closer = look_closer(result, prepared, squeezed, profile) if html else result
        return closer, prepared.loaded.family

    if out is None:
        return make()[0]
    folder = path_of(out, "a folder for what is made")
    _check_folder(folder, model, (model, data, labels, recipe, target), profile)
    return _written(make, folder, custom_objects, profile if html else None)


def _check_folder(folder: Path, model: object, inputs: Sequence[object], target: Target) -> None:
    """See before the work that what will be written takes nothing of the user's.

    Raises:
        OutputError: a file of the user's own has one of the names, or one that is read has.
    """
    name = c_name(Path(model).stem) if isinstance(model, str | Path) else None
    sources = [] if name is None else source_names(name, target)
    refuse_inputs([folder / one for one in (*FILES, *sources)], inputs, "--out")
    inner = [one.removeprefix(f"{NATIVE_FOLDER}/") for one in sources if one.startswith(f"{NATIVE_FOLDER}/")]
    check_replaceable(folder, [*FILES, *(() if inner else sources)])
    check_replaceable(folder / NATIVE_FOLDER, inner)


def _written(
    make: Callable[[], tuple[Compressed, str]],
    folder: Path,
    custom_objects: Mapping[str, Any] | None,
    drawn_for: Target | None,
) -> Compressed:
    """Make it, and write all of it or nothing.

    Args:
        make: gives the result, and the package that the model is of.
        folder: where to.
        custom_objects: the model's own classes by name.
        drawn_for: the target of a page about it; None: no page.
    """
    gone: dict[str, str] = {}
    faults: list[Exception] = []
    # Staged from the start: a folder that cannot be written is found out before the work, not after it.
    with staged(folder, gone) as stage:
        result, family = make()
        text = _drawn(result, drawn_for, faults) if drawn_for else ""
        gone |= generated(folder, set(FILES) - set(files_of(result.model, text)))
        result = write_result(result, stage, folder, family, custom_objects, text)
    for fault in faults:
        raise fault
    return result


def _drawn(result: Compressed, target: Target, faults: list[Exception]) -> str:
    """The page; a fault while it is drawn must not lose what was trained, and is kept for later."""
    try:
        return page(Made(result.report, result.tflite), target)
    except Exception as error:
        faults.append(error)
        return ""


def traced(result: Compressed, inputs: Inputs) -> Compressed:
    """The result with the hashes of what it was made from and came to.

    Args:
        result: what was made.
        inputs: from ``report.provenance.inputs_of``.
    """
    outputs = output_hashes(result.tflite, result.sources)
    provenance = Provenance(**inputs._asdict(), outputs=outputs)
    return replace(result, report=result.report.model_copy(update={"provenance": provenance}))
