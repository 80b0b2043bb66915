"""The memory of a search: an Optuna study in a database, from which a search goes on where it was ended.

Only the driver writes to it. What a trial will be depends on the finished ones and the seed alone, so that a
search that was ended and goes on tries the same as one that was not.
"""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgesqueeze.errors import MissingToolError, OutputError, UsageError
from edgesqueeze.explore.space import Params, Space
from edgesqueeze.explore.wish import LIMITED, Wish
from edgesqueeze.report.front import TrialRecord, judged_by

STUDY = "edgesqueeze"
FILE = "study.db"
"""Database in the output folder."""
IDENTITY = "identity"
PARAMS = "params"
"""Note of a trial: what was drawn."""
RECORD = "record"
"""Note of a trial: what came of it."""
SEEDS_APART = 100_003
"""So far apart are the samplers' seeds of two searches whose seeds differ by one."""
DRAWS = 12
"""How often a trial is drawn, at most, until it is one that there has not been."""
START_TRIALS = 10
"""Trials, those of the first generation among them, before a model of them is made."""


def _tpe(seed: int) -> Any:
    """Tree-structured Parzen estimator for several objectives (Ozaki et al., 2022, JAIR 73)."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, n_startup_trials=START_TRIALS)


def _nsga2(seed: int) -> Any:
    """NSGA-II (Deb et al., 2002)."""
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed, population_size=20)


def _random(seed: int) -> Any:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


SAMPLERS: Mapping[str, Callable[[int], Any]] = MappingProxyType(
    {"tpe": _tpe, "nsga2": _nsga2, "random": _random}
)
"""What draws the options of a trial."""


class Study:
    """Trials and what is known of them, kept in a database.

    Args:
        storage: URL of the database, as Optuna takes it.
        identity: what the search is about; a study of something else is refused.
        wish: what the search is for.
        sampler: a name of ``SAMPLERS``.
        seed: seed of the sampler.
        resume: whether a study that is there goes on.

    Raises:
        UsageError: there is a study and it is not to go on, or it is of something else.
        MissingToolError: Optuna is not installed.
        OutputError: the database cannot be opened.
    """

    def __init__(
        self, storage: str, identity: Mapping[str, str], wish: Wish, sampler: str, seed: int, *, resume: bool
    ) -> None:
        self._optuna = _optuna()
        self._wish, self._sampler, self._seed = wish, SAMPLERS[sampler], seed
        with _explained(storage):
            self._study = self._opened(storage)
            if _is_empty(self._study):
                # Of a search that failed before any work, perhaps for a wrong path or limit.
                self._optuna.delete_study(study_name=STUDY, storage=storage)
                self._study = self._opened(storage)
                self._study.set_metric_names(list(wish.objectives))
                self._study.set_user_attr(IDENTITY, dict(identity))
                return
        _check_same(self._study.user_attrs.get(IDENTITY, {}), identity, storage, resume)

    def _opened(self, storage: str) -> Any:
        return self._optuna.create_study(
            storage=storage,
            study_name=STUDY,
            directions=["minimize"] * len(self._wish.objectives),
            load_if_exists=True,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was tried or noted; false where the database does not say."""
        with contextlib.suppress(Exception):
            return _is_empty(self._study)
        return False

    def recall(self, name: str) -> Any:
        """What was noted about the search; None where nothing was."""
        return self._study.user_attrs.get(name)

    def note(self, name: str, value: Any) -> None:
        """Note something about the search, as what can be JSON."""
        self._study.set_user_attr(name, value)

    def begin_with(self, params: Params) -> None:
        """Try these values before any that are drawn."""
        self._study.enqueue_trial(dict(params))

    def unfinished(self, space: Space) -> list[Entry]:
        """Trials that were begun and not finished, as they were drawn."""
        state = self._optuna.trial.TrialState.RUNNING
        found = []
        for one in self._study.get_trials(deepcopy=False, states=(state,)):
            self._seed_sampler(one.number)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                entry = Entry(self._optuna.trial.Trial(self._study, one._trial_id), one.user_attrs)
            found.append(self._drawn(entry, space))
        return found

    def begin(self, space: Space) -> Entry:
        """The next trial: one that waits, or one that is drawn, and as long as there is any, a new one.

        A sampler that knows of one good recipe draws it again and again, which tells nothing. What it draws
        a second time is put aside; after some of these all values are drawn at random.
        """
        begun = [one for one in self._study.get_trials(deepcopy=False) if one.state.name != "WAITING"]
        known = [one.user_attrs[PARAMS] for one in begun if PARAMS in one.user_attrs]
        for attempt in range(DRAWS):
            self._seed_sampler(len(begun) + attempt, _random if attempt >= DRAWS // 2 else None)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                entry = Entry(self._study.ask(), {})
            entry = self._drawn(entry, space)
            if entry.notes[PARAMS] not in known:
                break
            if attempt + 1 < DRAWS:
                self._study.tell(entry.number, state=self._optuna.trial.TrialState.FAIL)
        return entry

    def _seed_sampler(self, number: int, sampler: Callable[[int], Any] | None = None) -> None:
        """Give a trial a sampler of its own: the state of one for all would be lost with the driver."""
        self._study.sampler = (sampler or self._sampler)(self._seed * SEEDS_APART + number)

    def _drawn(self, entry: Entry, space: Space) -> Entry:
        if PARAMS not in entry.notes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                entry.note(PARAMS, dict(space.draw(entry.trial)))
        return entry

    def finish(self, entry: Entry, record: Mapping[str, Any]) -> None:
        """Tell what came of a trial.

        Args:
            entry: the trial.
            record: what ``TrialRecord`` holds, as what can be JSON.
        """
        takes = judged_by(TrialRecord.model_validate(record))
        entry.note(RECORD, dict(record))
        missed = self._wish.missed(takes)
        for name, field in LIMITED.items():
            if getattr(self._wish.limits, name) is not None and getattr(takes, field) is not None:
                entry.constrain(name, missed.get(name, 0.0))
        values = self._wish.values(takes)
        state = self._optuna.trial.TrialState
        if record["state"] == "failed":
            self._study.tell(entry.number, state=state.FAIL)
        elif float("inf") in values:
            self._study.tell(entry.number, state=state.PRUNED)
        else:
            self._study.tell(entry.number, list(values))

    def finished(self) -> list[tuple[TrialRecord, dict[str, Any]]]:
        """What came of the finished trials, and what was noted of them, in order."""
        trials = [one for one in self._study.get_trials(deepcopy=False) if one.state.is_finished()]
        return [
            (TrialRecord.model_validate(one.user_attrs[RECORD]), one.user_attrs)
            for one in trials
            if RECORD in one.user_attrs  # not of a recipe that was drawn a second time
        ]


class Entry:
    """One trial of a study.

    Attributes:
        trial: Optuna's own, which draws.
        number: from 0.
        notes: what was noted of it, by name.
    """

    def __init__(self, trial: Any, notes: Mapping[str, Any]) -> None:
        self.trial = trial
        self.number: int = trial.number
        self.notes: dict[str, Any] = dict(notes)

    def note(self, name: str, value: Any) -> None:
        """Note something, as what can be JSON."""
        self.trial.set_user_attr(name, value)
        self.notes[name] = value

    def constrain(self, name: str, missed: float) -> None:
        """Say by how much a limit is missed; 0 where it is kept."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.trial.set_constraint(name, missed)


def sqlite_url(folder: Path) -> str:
    """The storage of a search in a folder."""
    return f"sqlite:///{folder.resolve() / FILE}"


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "search needs Optuna, which is not installed",
            expected="the package optuna",
            hint="pip install 'edgesqueeze[search]'",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _is_empty(study: Any) -> bool:
    """Whether nothing was tried or noted but what the study is about."""
    return not study.get_trials(deepcopy=False) and not set(study.user_attrs) - {IDENTITY}


def _check_same(before: Mapping[str, str], now: Mapping[str, str], storage: str, resume: bool) -> None:
    """Refuse a study that is of something else, or is not to go on."""
    differs = [name for name in now if before.get(name) != now[name]]
    where = _shown(storage).removeprefix("sqlite:///")
    if differs:
        pairs = {name: _differing(before.get(name, "none"), now[name]) for name in differs}
        raise UsageError(
            f"{where} is a study of another search: {', '.join(differs)} differ",
            expected="; ".join(f"{name} {_short(old)}" for name, (old, _) in pairs.items()),
            got="; ".join(f"{name} {_short(new)}" for name, (_, new) in pairs.items()),
            hint="name another folder with --out",
        )
    if not resume:
        raise UsageError(
            f"{where} is a study of this search already",
            hint="go on with it by --resume, or name another folder with --out",
        )


def _differing(before: str, now: str) -> tuple[str, str]:
    """Two texts without what they have in common, where both are JSON objects."""
    try:
        old, new = json.loads(before), json.loads(now)
    except ValueError:
        return before, now
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return before, now
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return json.dumps({name: old.get(name) for name in names}), json.dumps(
        {name: new.get(name) for name in names}
    )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


@contextlib.contextmanager
def kept_study(storage: str) -> Iterator[None]:
    """A database that fails while a search goes on, in the words of this program.

    Raises:
        OutputError: it is damaged, gone, or has no room.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise OutputError(
            f"the study {_shown(storage)} fails",
            expected="a database that is whole and can be written",
            got=str(error.__cause__ or error).splitlines()[0],
            hint="free some space and go on by --resume; if it is damaged, name another folder with --out",
        ) from error


def _shown(storage: str) -> str:
    """A storage without its password."""
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", str(storage))


@contextlib.contextmanager
def _explained(storage: str) -> Iterator[None]:
    """A database that cannot be opened, in the words of this program."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (SQLAlchemyError, StorageInternalError, ImportError, ValueError) as error:
        raise OutputError(
            f"cannot open the study {_shown(storage)}",
            expected="a database that Optuna can write",
            got=str(error).splitlines()[0],
            hint="name another --storage, or move the file away",
        ) from error


def as_json(record: Any) -> Any:
    """A record as what can be JSON."""
    return json.loads(record.model_dump_json())
