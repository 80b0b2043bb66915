"""A cheap look before the trials: which passes save something on the target, and which layers they hurt."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgesqueeze.errors import EdgeSqueezeError, RecipeError
from edgesqueeze.explore.jobs import Job
from edgesqueeze.explore.loop import run
from edgesqueeze.explore.space import Space
from edgesqueeze.explore.study import Study, as_json
from edgesqueeze.explore.tasks import Answer, Crew, Task
from edgesqueeze.recipe.passes import Pass
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.front import LayerLook, Takes

NOTE = "survey"
BASELINE_LOOK = "baseline look"
BASELINE_TRAIN = "baseline train"
WORTH_IT = 0.01
"""Part of the quantized model's flash, RAM or time that a pass must save to take part."""
STRENGTHS = (1.0, 0.5, 0.0)
"""How strong a pass is made to see what it saves, until one of these is possible."""
MOST_LAYERS = 8
"""Layers that are looked at, those with the most weights."""
FROM_TRIALS = 20
"""A search of fewer trials does not look at layers: that would take as long as the trials."""


@dataclass(frozen=True)
class Survey:
    """What the look found.

    Attributes:
        baseline: figures of the model that is only quantized.
        left_out: passes that save nothing on the target, with the reason, by name.
        layers: how sensitive each layer is to each pass that can spare layers.
        strengths: how strong each pass was made to see what it saves, by name.
    """

    baseline: Takes
    left_out: Mapping[str, str]
    layers: tuple[LayerLook, ...]
    strengths: Mapping[str, float]

    def applied(self, space: Space) -> Space:
        """The space without what is left out, and with the layers that may be spared."""
        rows = tuple(row for row in space.rows if row.name not in self.left_out)
        spared = {row.name: self._most_sensitive(row) for row in rows}
        return Space(space.base, rows, {name: layers for name, layers in spared.items() if layers})

    def _most_sensitive(self, row: Pass) -> tuple[str, ...]:
        most = row.search.spares if row.search else 0
        looks = [one for one in self.layers if one.pass_name == row.name and one.accuracy_drop > 0]
        looks.sort(key=lambda one: (-one.accuracy_drop, one.layer))
        return tuple(one.layer for one in looks[:most])


def survey(
    crew: Crew,
    study: Study,
    space: Space,
    trials: int | None,
    moved: Callable[[int], None],
    late: Callable[[], bool] = lambda: False,
) -> Survey:
    """Look at the model; what was seen before is remembered.

    Args:
        crew: who does the tasks.
        study: keeps what is found.
        space: what could be drawn.
        trials: trials of the search; None: as many as the time allows.
        moved: as for ``loop.run``.
        late: whether the look has taken its part of the time: then no more layers are looked at.

    Raises:
        EdgeSqueezeError: the model cannot be quantized, run or timed for the target.
    """
    notes = Notes(study)
    run(crew, iter([_baseline(notes, space.base)]), moved=moved)
    baseline = notes.takes(BASELINE_LOOK).model_copy(
        update={"accuracy_drop": notes.takes(BASELINE_TRAIN).accuracy_drop}
    )
    saving = [row for row in space.rows if row.search is not None and row.search.saves]
    run(crew, (_pass(notes, space, row) for row in saving), moved=moved)
    reasons = {row.name: _why_not(notes, row, baseline) for row in saving}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    sparing = [
        row for row in space.rows if row.name not in left_out and row.search is not None and row.search.spares
    ]
    layers = crew.facts.layers[:MOST_LAYERS] if (trials or FROM_TRIALS) >= FROM_TRIALS else ()
    pairs = [(row, layer) for row in sparing for layer in layers]
    jobs = (_layer(notes, space, row, layer) for row, layer in pairs)
    run(crew, jobs, stopping=late, moved=moved)
    looks = [one for row, layer in pairs for one in _look(notes, row, layer, baseline)]
    strengths = {row.name: one for row in saving if (one := _strength(notes, row)) is not None}
    return Survey(baseline, left_out, tuple(looks), strengths)


class Notes:
    """What was seen of the model, kept in the study as it comes.

    Args:
        study: where it is kept.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._known: dict[str, dict[str, Any]] = dict(study.recall(NOTE) or {})

    def ask(self, name: str, task: Task, *, needed: bool = False) -> Generator[Task, Answer, bool]:
        """Do a task unless its answer is known; whether it has one without an error.

        Args:
            name: what to remember it by.
            task: the task.
            needed: whether its error is one of the search.
        """
        if name not in self._known:
            answer = yield task
            if answer.error is None:
                self._known[name] = {"takes": as_json(answer.takes)}
            elif needed:
                raise answer.error
            else:
                self.fail(name, answer.error)
            self._study.note(NOTE, self._known)
        return "takes" in self._known[name]

    def fail(self, name: str, error: EdgeSqueezeError) -> None:
        """Remember that there is no answer."""
        self._known[name] = {"error": error.problem}

    def takes(self, name: str) -> Takes:
        """The figures of an answer; none known where there is none."""
        return Takes.model_validate(self._known.get(name, {}).get("takes", {}))

    def error(self, name: str) -> str:
        """Why there is no answer; empty where there is one."""
        return str(self._known.get(name, {}).get("error", ""))


def _baseline(notes: Notes, base: Recipe) -> Job:
    """The model that is only quantized; without its figures there is nothing to search for."""
    for name, task in ((BASELINE_LOOK, Task("look", base)), (BASELINE_TRAIN, Task("train", base))):
        yield from notes.ask(name, task, needed=True)


def _pass(notes: Notes, space: Space, row: Pass) -> Job:
    """A look at a pass, as strong as it is possible."""
    for strength in STRENGTHS:
        name = _name(row, strength)
        try:
            recipe = space.recipe(space.alone(row, strength))
        except RecipeError as error:
            notes.fail(name, error)
            continue
        if (yield from notes.ask(name, Task("look", recipe))):
            return


def _name(row: Pass, about: object) -> str:
    return f"{row.name} {about}"


def _strength(notes: Notes, row: Pass) -> float | None:
    """How strong a pass was made; None where it was possible in no way."""
    return next((one for one in STRENGTHS if not notes.error(_name(row, one))), None)


def _why_not(notes: Notes, row: Pass, baseline: Takes) -> str:
    """Why a pass is left out; empty where it saves something."""
    strength = _strength(notes, row)
    if strength is None:
        return notes.error(_name(row, STRENGTHS[-1]))
    found = _name(row, strength)
    figures = (
        (getattr(notes.takes(found), name), getattr(baseline, name))
        for name in ("latency_ms", "flash_kib", "ram_kib")
    )
    if any(now is not None and (before is None or now <= (1 - WORTH_IT) * before) for now, before in figures):
        return ""
    return "it saves neither time nor flash nor RAM on this target"


def _layer(notes: Notes, space: Space, row: Pass, layer: str) -> Job:
    """A large layer with one pass applied to it alone."""
    yield from notes.ask(_name(row, layer), Task("train", _only(space, row, layer)))


def _look(notes: Notes, row: Pass, layer: str, baseline: Takes) -> Iterator[LayerLook]:
    drop = notes.takes(_name(row, layer)).accuracy_drop
    if drop is not None and baseline.accuracy_drop is not None:
        lost = drop - baseline.accuracy_drop
        yield LayerLook(pass_name=row.name, layer=layer, accuracy_drop=lost)


def _only(space: Space, row: Pass, layer: str) -> Recipe:
    """A recipe with one pass for one layer."""
    recipe = space.recipe(space.alone(row, 0.5))
    section: Any = getattr(recipe, row.name)
    changes: dict[str, Any] = {"include": (layer,)}
    if "first_and_last" in type(section).model_fields:
        changes["first_and_last"] = "include"
    return recipe.model_copy(update={row.name: section.model_copy(update=changes)})
