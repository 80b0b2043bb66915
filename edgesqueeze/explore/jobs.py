"""The jobs of a search, each a generator: it gives a task, and is sent the answer.

So a job reads from top to bottom, while many run side by side; ``run`` in ``loop.py`` moves them on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edgesqueeze.errors import RecipeError
from edgesqueeze.explore.forecast import expected_drop
from edgesqueeze.explore.rungs import Shown, goes_on
from edgesqueeze.explore.space import Params, Space
from edgesqueeze.explore.study import PARAMS, RECORD, Entry, as_json
from edgesqueeze.explore.tasks import Answer, Task
from edgesqueeze.explore.wish import Wish
from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.front import Takes, TrialRecord

Job = Generator[Task, Answer, None]

LOOKED = "look"
"""Note of a trial: what the model takes, untrained."""
SECONDS = "seconds"


NEAR = 0.05
"""By which share of its limit a memory must be missed, so that weaker recipes with the same passes are judged
by it: a model with fewer channels has been larger by 0.3 %."""
CLEARLY, FAR = 0.25, 2.0
"""The same of the flash, for recipes with fewer passes: with the same ones for the accuracy, and with others.
Equalization alone has brought the flash of a small pruned network down to 53 %."""


class Unfit(NamedTuple):
    """A model that missed a limit of memory.

    Attributes:
        params: what was drawn for it.
        reason: what it missed.
        flash_over: by how much it missed that of the flash, as a share of it; 0 where it did not.
        ram_over: the same of the RAM.
    """

    params: Params
    reason: str
    flash_over: float
    ram_over: float


@dataclass
class Board:
    """What all trials of a search have in common, and what they showed so far.

    Attributes:
        wish: what the search is for.
        space: what can be drawn.
        baseline: figures of the model that is only quantized.
        rounds: training steps of each round.
        most_steps: training steps that a full training has at most.
        drops_early: whether only the best go on to the next round.
        unfit: models that missed a limit of memory; a weaker one misses it too.
        shown: what trials showed after each round, by their numbers.
        answers: notes of what was done, by recipe and name: the same is not done twice.
    """

    wish: Wish
    space: Space
    baseline: Takes
    rounds: tuple[int, ...]
    most_steps: int
    drops_early: bool = True
    unfit: list[Unfit] = field(default_factory=list)
    shown: list[dict[int, Shown]] = field(default_factory=list)
    answers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shown = [{} for _ in self.rounds]

    def saw(self, number: int, place: int, takes: Takes, steps: int) -> None:
        """Remember what is expected of a trial after a round of so many steps."""
        takes = self.expected(takes, steps)
        excess = self.wish.missed(takes).get("max_accuracy_drop", 0.0)
        score = self.wish.score(takes, self.baseline)
        self.shown[place][number] = Shown(excess, self.wish.values(takes), score)

    def expected(self, takes: Takes, steps: int) -> Takes:
        """What a full training is expected to make of a model after so many steps."""
        drop = expected_drop(takes.accuracy_drop, steps, self.most_steps)
        return takes.model_copy(update={"accuracy_drop": drop})

    def lets_on(self, number: int, place: int) -> bool:
        """Whether a trial goes on behind a round."""
        others = [shown for other, shown in self.shown[place].items() if other != number]
        return not self.drops_early or goes_on(self.shown[place][number], others)

    def too_large(self, params: Params) -> str:
        """Why a model cannot fit, from one that does as much or more and did not; empty: it may fit.

        One with the same passes tells, and of the flash one with more of them, if it is not near the limit.
        """
        for one in self.unfit:
            most = CLEARLY if self.space.helps_alike(one.params, params) else FAR
            clearly = one.flash_over > most and self.space.saves_as_much(one.params, params)
            near = max(one.flash_over, one.ram_over) <= NEAR
            if clearly or (not near and self.space.is_as_strong(one.params, params)):
                return f"a stronger recipe did not fit: {one.reason}"
        return ""

    def saw_unfit(self, params: Params, reason: str, takes: Takes) -> None:
        """Remember a model that missed limits, if one of them is of memory."""
        missed = self.wish.missed(takes)
        if {"max_flash", "max_ram"} & set(missed):
            self.unfit.append(Unfit(params, reason, missed.get("max_flash", 0.0), missed.get("max_ram", 0.0)))


def trial(entry: Entry, board: Board, tell: Callable[[Entry, TrialRecord], None]) -> Job:
    """One trial: what was drawn, a look, and short trainings as long as it is among the best.

    What was noted of it before is not done again.

    Args:
        entry: the trial.
        board: what the trials have in common.
        tell: called with what came of it.
    """
    if RECORD in entry.notes:
        tell(entry, TrialRecord.model_validate(entry.notes[RECORD]))
        return
    try:
        recipe = board.space.recipe(entry.notes[PARAMS])
    except RecipeError as error:
        tell(entry, _record(entry, board, board.space.base, "failed", reason=error.problem))
        return
    if reason := board.too_large(entry.notes[PARAMS]):
        tell(entry, _record(entry, board, recipe, "unfit", reason=reason))
        return
    answer = yield from _noted(entry, board, LOOKED, Task("look", recipe))
    if answer.error is not None:
        tell(entry, _record(entry, board, recipe, "failed", reason=answer.error.problem))
        return
    takes = answer.takes
    if missed := board.wish.missed(takes):
        reason = f"misses {', '.join(missed)} before any training"
        board.saw_unfit(entry.notes[PARAMS], reason, takes)
        tell(entry, _record(entry, board, recipe, "unfit", takes=takes, reason=reason))
        return
    trains, steps = _trains(recipe), 0
    for place, planned in enumerate(board.rounds):
        steps = planned if trains else 0
        task = Task("train", recipe, steps)
        answer = yield from _noted(entry, board, f"steps_{planned}", task)
        if answer.error is not None:
            tell(entry, _record(entry, board, recipe, "failed", reason=answer.error.problem))
            return
        takes = takes.model_copy(update={"accuracy_drop": answer.takes.accuracy_drop})
        board.saw(entry.number, place, takes, steps)
        if place + 1 < len(board.rounds) and not board.lets_on(entry.number, place):
            reason = f"not among the best after {steps} steps"
            tell(entry, _record(entry, board, recipe, "dropped", takes=takes, steps=steps, reason=reason))
            return
    tell(entry, _record(entry, board, recipe, "trained", takes=takes, steps=steps))


def remember(board: Board, entry_params: Params, record: TrialRecord, notes: Mapping[str, Any]) -> None:
    """Put what a finished trial showed onto the board, as when it was done.

    Args:
        board: where to.
        entry_params: what was drawn for it.
        record: what came of it.
        notes: what was noted of it.
    """
    if record.state == "unfit":
        board.saw_unfit(entry_params, record.reason, record.takes)
    text = record.recipe.model_dump_json()
    if "takes" in notes.get(LOOKED, {}):
        board.answers.setdefault((text, "look 0"), notes[LOOKED])
    for place, planned in enumerate(board.rounds):
        found = notes.get(f"steps_{planned}")
        if found and "takes" in found:
            steps = planned if _trains(record.recipe) else 0
            board.answers.setdefault((text, f"train {steps}"), found)
            drop = found["takes"]["accuracy_drop"]
            board.saw(record.number, place, record.takes.model_copy(update={"accuracy_drop": drop}), steps)


def _noted(entry: Entry, board: Board, name: str, task: Task) -> Generator[Task, Answer, Answer]:
    """A task whose answer is noted, or what was noted before of this trial or of the same recipe."""
    key = (task.recipe.model_dump_json(), f"{task.kind} {task.steps}")
    known = entry.notes.get(name)
    if known is None and key in board.answers:
        known = {**board.answers[key], SECONDS: 0.0}
        entry.note(name, known)
    if known is None or "takes" not in known:
        answer = yield task
        if answer.error is not None:
            entry.note(name, {"error": str(answer.error), SECONDS: answer.seconds})
            return answer
        known = {"takes": as_json(answer.takes), SECONDS: answer.seconds}
        entry.note(name, known)
    board.answers.setdefault(key, known)
    return Answer(Takes.model_validate(known["takes"]), seconds=known[SECONDS])


def _trains(recipe: Recipe) -> bool:
    """Whether a recipe has a pass that trains: without one there is nothing that more steps change."""
    return any(row.weight and getattr(recipe, row.name, None) is not None for row in PASSES)


def _record(
    entry: Entry,
    board: Board,
    recipe: Recipe,
    state: Any,
    *,
    takes: Takes | None = None,
    steps: int = 0,
    reason: str = "",
) -> TrialRecord:
    takes = Takes() if takes is None else takes
    parts = [one[SECONDS] for one in entry.notes.values() if isinstance(one, dict) and SECONDS in one]
    hoped = board.expected(takes, steps)
    return TrialRecord(
        number=entry.number,
        state=state,
        reason=reason,
        recipe=recipe,
        steps=steps,
        takes=takes,
        expected_drop=hoped.accuracy_drop,
        missed=tuple(board.wish.missed(hoped)),
        seconds=round(sum(parts), 3),
    )
