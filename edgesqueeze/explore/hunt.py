"""The trials, then the finalists: what is tried next, when it is enough, and what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgesqueeze.explore import finals
from edgesqueeze.explore.jobs import Board, Job, remember, trial
from edgesqueeze.explore.loop import run
from edgesqueeze.explore.rungs import steps_of_rounds
from edgesqueeze.explore.space import space_of
from edgesqueeze.explore.standing import Standing, Watch
from edgesqueeze.explore.stopping import Stop
from edgesqueeze.explore.study import PARAMS, Entry, Study, as_json
from edgesqueeze.explore.survey import Survey, survey
from edgesqueeze.explore.tasks import Answer, Crew, Task
from edgesqueeze.explore.wish import Wish, undominated
from edgesqueeze.explore.written import folder_of, read_folder, recipe_text, write_finalist
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.front import FinalistRecord, TrialRecord, judged_by

R = TypeVar("R", TrialRecord, FinalistRecord)
FINALISTS_NOTE = "finalists"
FAILED_NOTE = "failed"
ENQUEUED = "enqueued"
LOOK_SHARE = 0.15
"""Part of a time limit after which no more layers are looked at."""
TRIAL_SHARE = 0.6
"""Part of a time limit after which no new trial is begun; the rest is for the finalists."""


@dataclass(frozen=True)
class Effort:
    """How much is to be done.

    Attributes:
        trials: trials in all; None: as many as the time allows.
        minutes: time limit for all; None: none. What runs when it is over is done.
        finalists: how many trials are trained in full.
    """

    trials: int | None
    minutes: float | None
    finalists: int


class Hunt:
    """A search on its way: the look, the trials, the finalists.

    Attributes:
        crew: who does the tasks.
        board: what the trials have in common; it fills up. There is none before the look.
        seen: what the look found.
        left_out: passes that no trial takes, with the reason, by name.

    Args:
        crew: who does the tasks.
        study: keeps what is found.
        effort: how much is to be done.
        folder: where finalists are written.
        watch: told how the search stands; None: nobody listens.
        stop: whether someone asked to end.
    """

    board: Board
    seen: Survey
    left_out: Mapping[str, str]

    def __init__(
        self, crew: Crew, study: Study, effort: Effort, folder: Path, watch: Watch | None, stop: Stop
    ) -> None:
        self.crew = crew
        self._study, self._effort, self._folder = study, effort, folder
        self._watch, self._stop, self._began = watch, stop, time.monotonic()
        self._trials: dict[int, TrialRecord] = {}
        self._finalists: dict[int, FinalistRecord] = {}
        self._failed: dict[int, str] = {}
        self._under_way: set[int] = set()
        self._earlier: frozenset[int] = frozenset()
        self._late = 0

    @property
    def complete(self) -> bool:
        """Whether nobody asked to end it."""
        return not self._stop.asked

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def survey(self, base: Recipe, wish: Wish) -> None:
        """The look before the trials.

        Args:
            base: what holds for every recipe.
            wish: what the search is for.

        Raises:
            EdgeSqueezeError: the model cannot be quantized, run or timed for the target.
            KeyboardInterrupt: someone asked to end: there is nothing yet that could be written.
        """
        space, left_out = space_of(base)
        self.seen = survey(self.crew, self._study, space, self._effort.trials, self._looked, self._is_late)
        self.left_out = {**left_out, **self.seen.left_out}
        most = self.crew.facts.most_steps
        self.board = Board(
            wish, self.seen.applied(space), self.seen.baseline, steps_of_rounds(most), most_steps=most
        )
        self._remember()

    def begin_with(self, *, first: bool) -> None:
        """Choose how trials begin, where none has begun.

        Args:
            first: with the recipes of the first generation, and short trainings of which only the best go
                on; else with what is drawn, trained to the last round.
        """
        self.board.drops_early = first
        if first and not self._study.recall(ENQUEUED):
            tight = {"max_flash", "max_ram"} & set(self.board.wish.missed(self.board.baseline))
            strongest = [self.board.space.strongest(self.seen.strengths)] if tight else []
            for params in (*strongest, *self.board.space.first()):
                self._study.begin_with(params)
        self._study.note(ENQUEUED, True)

    @property
    def trials(self) -> list[TrialRecord]:
        """The trials that are over, in order; those on the front marked."""
        return self._marked([self._trials[number] for number in sorted(self._trials)])

    @property
    def finalists(self) -> list[FinalistRecord]:
        """The finalists that are done, the best first; those on the front marked."""
        return self._marked(finals.ordered(list(self._finalists.values())))

    def _marked(self, records: Sequence[R]) -> list[R]:
        """Records with those on the front marked: what keeps to all limits and nothing dominates."""
        good = [one for one in records if one.takes.accuracy_drop is not None and not one.missed]
        kept = undominated([self.board.wish.values(judged_by(one)) for one in good])
        front = {one.number for one, stays in zip(good, kept, strict=True) if stays}
        return [one.model_copy(update={"on_front": one.number in front}) for one in records]

    @property
    def failed(self) -> dict[int, str]:
        """Why a trial could not be made a finalist, by its number."""
        return dict(self._failed)

    def try_recipes(self) -> None:
        """All trials."""
        run(self.crew, self._trial_jobs(), stopping=self._no_more_trials, moved=self._moved("trials"))

    def finish(self) -> None:
        """All finalists, unless someone asked to end."""
        run(self.crew, self._final_jobs(), stopping=lambda: self._stop.asked, moved=self._moved("finalists"))

    def _remember(self) -> None:
        """What was done before a search that goes on."""
        for record, notes in self._study.finished():
            self._trials[record.number] = record
            remember(self.board, notes[PARAMS], record, notes)
        for one in self._study.recall(FINALISTS_NOTE) or []:
            finalist = FinalistRecord.model_validate(one)
            # Noted after it was written; a folder that is gone is made again.
            if read_folder(self._folder / finalist.folder):
                self._finalists[finalist.number] = finalist
        self._failed = {int(number): why for number, why in (self._study.recall(FAILED_NOTE) or {}).items()}
        if self._effort.trials is None or self._effort.trials > len(self._trials):
            # They were chosen before the trials that are still to come, which may promise more.
            self._earlier = frozenset({*self._finalists, *self._failed})

    def _trial_jobs(self) -> Iterator[Job]:
        begun = len(self._trials)
        for entry in self._study.unfinished(self.board.space):
            begun += 1
            yield trial(entry, self.board, self._tell)
        while self._effort.trials is None or begun < self._effort.trials:
            begun += 1
            yield trial(self._study.begin(self.board.space), self.board, self._tell)

    def _no_more_trials(self) -> bool:
        minutes = self._effort.minutes
        return self._stop.asked or (minutes is not None and self.seconds > 60 * minutes * TRIAL_SHARE)

    def _tell(self, entry: Entry, record: TrialRecord) -> None:
        self._study.finish(entry, as_json(record))
        self._trials[record.number] = record

    def _final_jobs(self) -> Iterator[Job]:
        while self._wants_more():
            begun = {*self._finalists, *self._failed, *self._under_way}
            late = not self._has_time()
            best = finals.best_of(self.finalists) if self._earlier else None
            chosen = finals.pick(
                self.trials,
                self.finalists,
                begun,
                self.board.wish,
                self.board.baseline,
                measured=late,
                below=None if best is None else best.score,
            )
            if chosen is None:
                return
            self._late += late
            self._under_way.add(chosen.number)
            yield self._final(chosen)

    def _wants_more(self) -> bool:
        done = len({*self._finalists, *self._failed, *self._under_way} - self._earlier)
        found = finals.best_of(self.finalists) is not None
        most = self._effort.finalists * (1 if found or self._under_way else finals.MORE)
        if done >= most:
            return False
        # Rather late with a model than in time without one.
        return self._has_time() or not (found or self._under_way or self._late)

    def _has_time(self) -> bool:
        """Whether there is time for one more finalist, by those so far."""
        minutes = self._effort.minutes
        longest = max((one.seconds for one in self._finalists.values()), default=0.0)
        return minutes is None or not longest or self.seconds + longest < 60 * minutes

    def _final(self, chosen: TrialRecord) -> Job:
        answer = yield Task("finish", chosen.recipe)
        self._under_way.discard(chosen.number)
        why = "; ".join(answer.problems) if answer.error is None else answer.error.problem
        if why:
            self._failed[chosen.number] = why
            self._study.note(FAILED_NOTE, self._failed)
            return
        self._finalists[chosen.number] = self._written(chosen, answer)
        self._study.note(FINALISTS_NOTE, [as_json(one) for one in self._finalists.values()])

    def _written(self, chosen: TrialRecord, answer: Answer) -> FinalistRecord:
        wish, folder = self.board.wish, folder_of(chosen.number)
        text = recipe_text(chosen.recipe, chosen.number)
        write_finalist(self._folder / folder, answer.files, text)
        return FinalistRecord(
            number=chosen.number,
            folder=folder,
            recipe=chosen.recipe,
            takes=answer.takes,
            missed=tuple(wish.missed(answer.takes)),
            score=wish.score(answer.takes, self.board.baseline),
            seconds=answer.seconds,
        )

    def _is_late(self) -> bool:
        """Whether the look has taken its part of the time."""
        minutes = self._effort.minutes
        return minutes is not None and self.seconds > 60 * minutes * LOOK_SHARE

    def _looked(self, running: int) -> None:
        """Tell the watcher that the look goes on; end where someone asked to."""
        if self._stop.asked and not running:
            raise KeyboardInterrupt
        if self._watch is not None:
            trials = self._effort.trials
            self._watch(Standing("a look at the model", 0, trials, running, (), (), self.seconds, None))

    def _moved(self, phase: str) -> Callable[[int], None]:
        """What tells the watcher how the search stands."""

        def moved(running: int) -> None:
            if self._watch is None:
                return
            trials = self.trials
            front = [one for one in trials if one.on_front]
            front.sort(key=lambda one: self.board.wish.score(judged_by(one), self.board.baseline))
            done, most, seconds = len(trials), self._effort.trials, self.seconds
            self._watch(
                Standing(
                    phase, done, most, running, self.finalists, front, seconds, self._left(done, seconds)
                )
            )

        return moved

    def _left(self, done: int, seconds: float) -> float | None:
        """Seconds that the trials still take, by those so far; with a time limit, until that."""
        minutes, most = self._effort.minutes, self._effort.trials
        by_time = None if minutes is None else max(0.0, 60 * minutes - seconds)
        by_count = None if most is None or not done else seconds / done * max(0, most - done)
        known = [one for one in (by_time, by_count) if one is not None]
        return min(known) if known else None
