"""The search for a recipe: say what is needed, get the best model that was found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesqueeze.base.given import expect, path_of
from edgesqueeze.base.names import read_names
from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import UsageError
from edgesqueeze.explore.beginning import begun
from edgesqueeze.explore.found import front_of
from edgesqueeze.explore.hunt import Effort, Hunt
from edgesqueeze.explore.identity import identity_of
from edgesqueeze.explore.standing import Watch
from edgesqueeze.explore.stopping import gentle_stop
from edgesqueeze.explore.study import SAMPLERS, Study, sqlite_url
from edgesqueeze.explore.tasks import Crew, Order
from edgesqueeze.explore.wish import Wish, on_target, parse_objectives
from edgesqueeze.explore.written import write_found
from edgesqueeze.recipe.read import as_recipe
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.draw import check_drawing
from edgesqueeze.report.front import Front, SearchLimits
from edgesqueeze.report.page.page import write_page
from edgesqueeze.target.load import as_target
from edgesqueeze.target.records import Target

TRIALS = 40
"""Trials where neither their number nor a time is given."""
FINALISTS = 3
RANDOM = "random"
"""The sampler for comparison: no first generation, and no trial is dropped early."""


def search(
    model: Any,
    *,
    target: str | Path | Target,
    data: Any,
    out: str | Path,
    limits: SearchLimits | None = None,
    objectives: Sequence[str] = (),
    recipe: str | Path | Recipe | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    finalists: int = FINALISTS,
    workers: int = 1,
    ray: str = "",
    resume: bool = False,
    sampler: str = "tpe",
    storage: str = "",
    metric: str | Callable[[Any, Any], float] | None = None,
    labels: str | Path | Sequence[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    html: bool = True,
    progress: Watch | None = None,
) -> Front:
    """Search the recipe of the best model within limits; ``raise_if_none`` tells whether there is one.

    Ctrl-C ends it after what runs, and what there is is written; a second one ends it at once. With one
    worker and a number of trials, the same inputs and seed give the same front.

    Args:
        model: as for ``compress``; by its path where there are several workers.
        target: name of a profile, path of one, or a profile.
        data: as for ``compress``; by its path or name where there are several workers.
        out: folder for what is found, and for the study from which a search goes on.
        limits: what a model must satisfy; by default it loses one point at most.
        objectives: what is to become small: ``latency``, ``size`` (flash), ``accuracy`` (its drop); the first
            two by default.
        recipe: what holds for every trial, or the path of a recipe: data, training, quantization, and passes
            that are not to be searched.
        trials: number of trials; 40 where there is no time limit either.
        minutes: time limit, of which 60 % is for trials; what runs then is done.
        finalists: how many trials are trained in full.
        workers: tasks at a time: processes on this computer, or with ``ray`` actors, 0 for all processors.
        ray: address of a Ray cluster; empty: this computer.
        resume: go on with the search in ``out``.
        sampler: what draws the trials: ``tpe``, ``nsga2``, or for comparison ``random``, which has no first
            generation and drops no trial early.
        storage: URL of the study's database, as Optuna takes it; a file in ``out`` by default.
        metric: as for ``compress``.
        labels: as for ``compress``.
        custom_objects: the model's own classes by name.
        unsafe: allow model files that hold code (Lambda layers) to run it.
        html: whether to write a page about what was found.
        progress: called whenever something is done.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        ConnectError: there is no Ray cluster at the address.
        OutputError: ``out`` cannot be written.
        MissingToolError: Optuna, Ray or what draws charts is not installed.
        BridgeError: the rebuilt model differs from the original.
    """
    profile, folder = as_target(target), path_of(out, "a folder for what is found")
    wish, effort = _wish(limits, objectives, profile), _effort(trials, minutes, finalists)
    _check_choices(workers, ray, sampler)
    order = Order(
        model=model,
        data=data,
        target=profile,
        recipe=_base(as_recipe(recipe), wish),
        latency="latency" in wish.objectives or wish.limits.max_latency is not None,
        metric=metric,
        labels=None if labels is None else read_names(labels),
        custom_objects=custom_objects,
        unsafe=unsafe,
        closer=html,
    )
    if html:
        check_drawing()
    identity = identity_of(order, wish, sampler)

    def opened(storage: str) -> Study:
        return Study(storage, identity, wish, sampler, order.recipe.seed, resume=resume)

    with (
        begun(folder, storage or sqlite_url(folder), opened) as study,
        contextlib.closing(_crew(order, workers, ray)) as crew,
        gentle_stop() as stop,
    ):
        hunt = Hunt(crew, study, effort, folder, progress, stop)
        _go_through(hunt, order.recipe, wish, first=sampler != RANDOM)
        front = front_of(hunt, order, identity["model"])
        write_found(folder, front)
        if html:
            write_page(folder, target=profile)
    return front


def _go_through(hunt: Hunt, base: Recipe, wish: Wish, *, first: bool) -> None:
    """All phases, one after the other."""
    hunt.survey(base, wish)
    hunt.begin_with(first=first)
    hunt.try_recipes()
    hunt.finish()


def _wish(limits: SearchLimits | None, objectives: Sequence[str], target: Target) -> Wish:
    """What is asked for, with the target's own memory as a limit."""
    limits = SearchLimits() if limits is None else limits
    expect(limits, SearchLimits, "the limits as SearchLimits", "SearchLimits(max_latency=50) is one")
    return Wish(parse_objectives(objectives), on_target(limits, target))


def _base(recipe: Recipe, wish: Wish) -> Recipe:
    """What holds for every recipe, with the limit that ``compress`` then judges by."""
    return recipe.model_copy(
        update={
            "limits": recipe.limits.model_copy(update={"max_accuracy_drop": wish.limits.max_accuracy_drop})
        }
    )


def _effort(trials: int | None, minutes: float | None, finalists: int) -> Effort:
    for name, value in (("trials", trials), ("minutes", minutes), ("finalists", finalists)):
        if value is not None and not value > 0:
            raise UsageError(f"{name} is {value:g}", expected="more than 0", got=f"{value:g}")
    return Effort(TRIALS if trials is None and minutes is None else trials, minutes, finalists)


def _check_choices(workers: int, ray: str, sampler: str) -> None:
    if workers < (0 if ray else 1):
        raise UsageError(f"workers is {workers}", expected="at least 1", got=str(workers))
    if sampler not in SAMPLERS:
        raise UsageError(
            f"there is no sampler {sampler!r}{nearest(sampler, SAMPLERS)}",
            expected=f"one of {', '.join(SAMPLERS)}",
            got=sampler,
        )


def _crew(order: Order, workers: int, ray: str) -> Crew:
    """Who does the tasks: each kind is imported when it is used."""
    if ray:
        from edgesqueeze.explore.on_ray import OnRay

        return OnRay(order, ray, workers)
    if workers > 1:
        from edgesqueeze.explore.processes import Processes

        return Processes(order, workers)
    from edgesqueeze.explore.here import Here

    return Here(order)
