"""Whether an earlier result can be made again from the same inputs, byte for byte: what CI asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesqueeze.base.given import path_of
from edgesqueeze.base.names import read_names
from edgesqueeze.base.stages import Progress
from edgesqueeze.errors import TargetError
from edgesqueeze.pipeline.run import compress
from edgesqueeze.recipe.read import as_recipe
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.environment import environment
from edgesqueeze.report.made import hashes_of, profile_of, read_report, runtime_meant
from edgesqueeze.report.provenance import (
    Recheck,
    compared_files,
    compared_inputs,
    compared_outputs,
    compared_versions,
    inputs_of,
    is_same,
    output_hashes,
)
from edgesqueeze.report.report import Report
from edgesqueeze.target.chosen_runtime import with_runtime
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.target.records import Target


def recheck(
    folder: str | Path,
    model: Any,
    *,
    data: Any,
    target: str | Path | Target | None = None,
    recipe: str | Path | Recipe | None = None,
    labels: str | Path | Sequence[str] | None = None,
    runtime: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> Recheck:
    """Whether the inputs of an earlier ``compress`` still are what they were, and still give the same bytes.

    Nothing is made where an input has changed, and nothing is written.

    Args:
        folder: what ``compress`` wrote, or its ``report.json`` alone; or the path of that.
        model: as for ``compress``.
        data: as for ``compress``.
        target: as for ``compress``; by default the one that the report names.
        recipe: as for ``compress``; by default that of the report.
        labels: as for ``compress``.
        runtime: as for ``compress``; by default that of the report.
        custom_objects: the model's own classes by name.
        unsafe: as for ``compress``.
        progress: called as the work goes on.

    Raises:
        UsageError: the folder has no report, or one without hashes; and what ``compress`` raises.
        TargetError: the report's target was a file, and is not given.
    """
    given = path_of(folder, "a folder that compress wrote, or its report.json")
    place = given.parent if given.is_file() else given
    report = read_report(given)
    before = hashes_of(report, place)
    profile = _profile(report, place, target, runtime)
    chosen = report.recipe if recipe is None else fill_preferences(as_recipe(recipe), profile)
    names = None if labels is None else read_names(labels)
    found = (
        *compared_inputs(before, inputs_of(model, data, chosen, profile, names)),
        *compared_versions(report.environment, environment()),
        *compared_files(place, before.outputs),
    )
    if not is_same(found):
        return Recheck(ok=False, made_again=False, compared=found)
    again = compress(
        model,
        target=profile,
        data=data,
        recipe=chosen,
        labels=names,
        custom_objects=custom_objects,
        unsafe=unsafe,
        progress=progress,
    )
    found += compared_outputs(before.outputs, output_hashes(again.tflite, again.sources))
    return Recheck(ok=is_same(found), made_again=True, compared=found)


def _profile(report: Report, place: Path, target: str | Path | Target | None, runtime: str | None) -> Target:
    """The target with the runtime of the report, unless others are given."""
    profile = profile_of(report.target, target)
    if profile is None:
        raise TargetError(
            f"the profile of {report.target!r} is not at hand, the target that the report in {place} names",
            expected="one of `edgesqueeze targets list`, or a file",
            hint="name its file with --target",
        )
    return with_runtime(profile, runtime_meant(report, profile, runtime or ""))
