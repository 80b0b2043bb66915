import csv
import os
import signal

import pytest

from edgesqueeze.base.signals import NOTHING_LEFT, Stopped, left_by
from edgesqueeze.errors import ConnectError, NotFoundError, OutputError, UsageError
from edgesqueeze.explore import search as module
from edgesqueeze.explore.hunt import Hunt
from edgesqueeze.explore.search import search
from edgesqueeze.explore.verdict import raise_if_none
from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.recipe.read import load_recipe, parse_recipe
from edgesqueeze.report.compare import compare
from edgesqueeze.report.front import Front, SearchLimits
from runtime_tests.support.pretend_crew import PretendCrew

optuna = pytest.importorskip("optuna", reason="search is not installed")
TRIALS = 16


class LostError(Exception):
    """The driver is gone."""


class BadModelError(UsageError):
    """A model that cannot be opened."""


def _sought(out, crew=None, kept=None, **how):
    """Search with a crew that pretends, and a study in memory: a new one, or the one that was ``kept``."""
    arguments = {"trials": TRIALS, "target": "nucleo-f446re", "data": "data", "html": False, **how}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_crew", lambda order, workers, ray: crew or PretendCrew())
        patch.setattr(module, "sqlite_url", lambda folder: kept or optuna.storages.InMemoryStorage())
        return search(arguments.pop("model", "model"), out=out, **arguments)


@pytest.fixture
def kept():
    """Keeps a study for a search that goes on."""
    return optuna.storages.InMemoryStorage()


@pytest.fixture
def ctrl_c():
    """Ctrl-C as a terminal's programs have it; what a script starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _timeless(front):
    return front.model_copy(update={"seconds": 0.0})


@pytest.fixture(scope="module")
def common(tmp_path_factory):
    """A search with every default: its folder, what it found, what it asked for, and what watchers saw."""
    out, crew, seen = tmp_path_factory.mktemp("common"), PretendCrew(), []
    return out, _sought(out, crew, progress=seen.append), crew.asked, seen


def test_the_best_is_within_the_limits_and_not_dominated(common):
    _, front, _, _ = common
    assert front.ok and front.complete and front.reason == ""
    assert len(front.trials) == TRIALS
    best = front.finalists[0]
    assert best.number == front.best and best.on_front and best.missed == ()
    assert best.takes.accuracy_drop <= 0.01
    assert best.takes.latency_ms < 0.6 * front.baseline.latency_ms
    assert best.takes.flash_kib < 0.4 * front.baseline.flash_kib


def test_what_is_written(common):
    out, front, _, _ = common
    assert Front.model_validate_json((out / "front.json").read_text()) == front
    with (out / "front.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == TRIALS + len(front.finalists)
    assert [row["trial"] for row in rows if row["state"] == "best"] == [str(front.best)]
    for one in front.finalists:
        assert load_recipe(out / one.folder / "recipe.toml") == one.recipe
    best = front.finalists[0]
    for name in ("model.tflite", "recipe.toml", "edgesqueeze.sha256"):
        assert (out / "best" / name).read_bytes() == (out / best.folder / name).read_bytes()
    assert best.recipe.limits.max_accuracy_drop == 0.01


def test_two_fronts_are_compared(common, tmp_path):
    out, front, _, _ = common
    assert compare(out, out / "front.json").ok
    first, *others = front.finalists
    slower = first.takes.model_copy(update={"latency_ms": 1000.0})
    worse = front.model_copy(
        update={"finalists": (first.model_copy(update={"takes": slower}), *others), "target": "pico"}
    )
    (tmp_path / "front.json").write_text(worse.model_dump_json())
    found = compare(out, tmp_path)
    assert not found.ok and found.kind == "search"
    changed = {one.title: one.verdict for one in found.changes}
    assert changed["best: latency"] == "worse" and changed["best: flash"] == "same"
    assert changed["best: accuracy"] == "same" and "front's best flash" in changed
    assert found.notes == ("not the same target: nucleo-f446re, then pico",)
    nothing = front.model_copy(update={"ok": False, "best": None, "finalists": (), "reason": "too slow"})
    (tmp_path / "front.json").write_text(nothing.model_dump_json())
    found = compare(out, tmp_path)
    assert found.problems == ("too slow",) and {one.verdict for one in found.changes} == {"gone"}


def test_only_the_best_are_trained_for_long(common):
    _, front, asked, _ = common
    steps = [task.steps for task in asked if task.kind == "train" and task.steps]
    assert steps.count(100) > 2 * steps.count(900) > 0
    assert {one.state for one in front.trials} >= {"trained", "dropped"}


def test_no_recipe_is_tried_twice(common):
    _, front, _, _ = common
    recipes = [one.recipe.model_dump_json() for one in front.trials]
    assert len(set(recipes)) == len(recipes)


def test_where_there_are_no_more_recipes_one_is_tried_again(tmp_path):
    every = {row.name: {} for row in PASSES if row.search and row.name not in ("bits", "bias")}
    front = _sought(tmp_path, recipe=parse_recipe({**every, "limits": {}}), trials=4)
    assert len(front.trials) == 4
    assert len({one.recipe.model_dump_json() for one in front.trials}) == 1


def test_trials_are_judged_by_what_is_expected_of_them(common):
    _, front, _, _ = common
    tried = [one for one in front.trials if one.steps]
    short = [one for one in tried if one.steps == 100 and one.takes.accuracy_drop > 0]
    assert short and all(0 < one.expected_drop < 0.4 * one.takes.accuracy_drop for one in short)
    assert any(not one.missed and one.takes.accuracy_drop > 0.01 for one in tried)


def test_a_model_is_made_even_if_the_time_is_over(tmp_path, monkeypatch):
    monkeypatch.setattr(Hunt, "_has_time", lambda self: False)
    front = _sought(tmp_path)
    (made,) = front.finalists
    (tried,) = (one for one in front.trials if one.number == made.number)
    assert tried.takes.accuracy_drop <= 0.01


def test_a_recipe_that_fails_is_named(common):
    _, front, _, _ = common
    failed = [one for one in front.trials if one.state == "failed"]
    assert failed and all("too much" in one.reason for one in failed)


def test_watchers_see_trials_and_finalists(common):
    _, front, _, seen = common
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    assert seen[-1].done == TRIALS and len(seen[-1].finalists) == len(front.finalists)
    assert {one.phase for one in seen} == {"a look at the model", "trials", "finalists"}


def test_the_same_seed_gives_the_same_front(common, tmp_path):
    assert _timeless(_sought(tmp_path)) == _timeless(common[1])


@pytest.mark.parametrize("task", [2, 7, 25, 40])
def test_a_lost_driver_goes_on_and_does_nothing_twice(common, tmp_path, kept, task):
    _, whole, asked, _ = common
    left = [task]

    def before(one):
        left[0] -= 1
        if not left[0]:
            raise LostError

    lost, crew = PretendCrew(before=before), PretendCrew()
    with pytest.raises(LostError):
        _sought(tmp_path, lost, kept=kept)
    assert len(lost.asked) == task - 1 < len(asked)
    assert _timeless(_sought(tmp_path, crew, kept=kept, resume=True)) == _timeless(whole)
    assert lost.asked + crew.asked == asked


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_after_what_runs_and_writes_what_there_is(common, tmp_path, kept):
    def before(task):
        if task.steps == 900:
            os.kill(os.getpid(), signal.SIGINT)

    front = _sought(tmp_path, PretendCrew(before=before), kept=kept)
    assert not front.complete and front.best is None
    assert 0 < len(front.trials) < TRIALS and front.trials[-1].state == "trained"
    assert "interrupted" in front.reason
    assert Front.model_validate_json((tmp_path / "front.json").read_text()) == front
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert _timeless(_sought(tmp_path, kept=kept, resume=True)) == _timeless(common[1])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BadModelError("no"), Stopped(signal.SIGTERM)])
@pytest.mark.parametrize("there", [False, True])
def test_what_ends_before_anything_was_found_leaves_nothing(tmp_path, error, there):
    out = tmp_path / "new" / "out"
    if there:
        out.mkdir(parents=True)
        (out / "mine").write_text("mine")

    def before(task):
        assert (out / "study.db").is_file()
        raise error

    with pytest.raises(type(error)) as caught:
        _sought(out, PretendCrew(before=before), storage=f"sqlite:///{out / 'study.db'}")
    assert left_by(caught.value) == NOTHING_LEFT
    assert [path.name for path in tmp_path.rglob("*")] == (["new", "out", "mine"] if there else [])


def test_what_ends_at_once_later_says_that_it_can_go_on(common, tmp_path):
    def before(task):
        if task.steps == 900:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    storage = f"sqlite:///{out / 'study.db'}"
    with pytest.raises(KeyboardInterrupt) as caught:
        _sought(out, PretendCrew(before=before), storage=storage)
    assert left_by(caught.value) == "--resume goes on with the search"
    assert [path.name for path in out.iterdir()] == ["study.db"]
    assert _timeless(_sought(out, storage=storage, resume=True)) == _timeless(common[1])


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_the_model_is_opened_does_not_wait(tmp_path, monkeypatch):
    def opened(order, workers, ray):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("this goes on")

    monkeypatch.setattr(module, "_crew", opened)
    with pytest.raises(KeyboardInterrupt):
        search("model", target="pico", data="data", out=tmp_path / "out", html=False)
    assert not (tmp_path / "out").exists()


def test_more_trials_go_on_from_those_that_are_there(tmp_path, kept):
    front = _sought(tmp_path, trials=3, kept=kept)
    with pytest.raises(UsageError, match="a study of this search already"):
        _sought(tmp_path, trials=3, kept=kept)
    crew = PretendCrew()
    assert _timeless(_sought(tmp_path, crew, trials=3, kept=kept, resume=True)) == _timeless(front)
    assert crew.asked == []
    more = _sought(tmp_path, trials=5, kept=kept, resume=True)
    assert [one.recipe for one in more.trials[:3]] == [one.recipe for one in front.trials]
    assert len(more.trials) == 5


def test_what_more_trials_promise_is_trained_in_full_as_well(tmp_path, kept):
    how = {"finalists": 1, "kept": kept, "limits": SearchLimits(max_accuracy_drop=0.5)}
    few = _sought(tmp_path, trials=1, **how)
    more = _sought(tmp_path, trials=12, resume=True, **how)
    assert len(more.finalists) == 2
    assert more.best != few.best and more.finalists[0].score < few.finalists[0].score
    crew = PretendCrew()
    again = _sought(tmp_path, crew, trials=13, resume=True, **how)
    # What promises no more than the best is not trained for the sake of the number.
    assert [task.kind for task in crew.asked].count("finish") == len(again.finalists) - 2
    assert again.finalists[0].score <= more.finalists[0].score


def test_a_study_of_something_else_is_refused(tmp_path, kept):
    _sought(tmp_path, trials=1, kept=kept)
    with pytest.raises(UsageError, match="a study of another search: model differ"):
        _sought(tmp_path, trials=1, model="other", kept=kept, resume=True)
    with pytest.raises(UsageError, match="recipe, limits differ"):
        _sought(tmp_path, trials=1, limits=SearchLimits(max_accuracy_drop=0.5), kept=kept, resume=True)


def test_a_search_that_failed_before_any_work_leaves_the_folder_free(tmp_path, kept):
    def fails(task):
        raise BadModelError("no such model")

    with pytest.raises(BadModelError):
        _sought(tmp_path, PretendCrew(before=fails), model="tpyo", trials=1, kept=kept)
    front = _sought(tmp_path, trials=1, objectives=["size"], kept=kept)
    assert front.objectives == ("size",) and len(front.trials) == 1


def test_what_differs_of_a_recipe_is_shown(tmp_path, kept):
    _sought(tmp_path, trials=1, kept=kept)
    with pytest.raises(UsageError) as caught:
        _sought(tmp_path, trials=1, limits=SearchLimits(max_latency=5.0), kept=kept, resume=True)
    assert caught.value.expected == 'limits {"max_latency": null}'
    assert caught.value.got == 'limits {"max_latency": 5.0}'


def test_a_study_of_someone_else_is_not_taken_over(tmp_path, kept):
    study = optuna.create_study(storage=kept, study_name="edgesqueeze")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(UsageError, match="a study of another search"):
        _sought(tmp_path, trials=1, kept=kept, resume=True)


def test_a_database_that_breaks_meanwhile_is_named(tmp_path):
    place = f"sqlite:///{tmp_path / 'study.db'}"

    def breaks(task):
        (tmp_path / "study.db").write_bytes(bytes(range(256)) * 400)

    with pytest.raises(OutputError, match=r"the study sqlite:.*study\.db fails"):
        _sought(tmp_path, PretendCrew(before=breaks), kept=place, trials=1)
    with pytest.raises(OutputError, match="cannot open the study"):
        _sought(tmp_path, kept=place, trials=1, resume=True)


def test_a_password_is_not_shown(tmp_path):
    with pytest.raises(UsageError) as caught:
        _sought(tmp_path, storage="nothing://me:secret@here/x")
    assert "nothing://me:***@here/x" in str(caught.value) and "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write to"):
        _sought(tmp_path / "file")


def test_several_at_a_time_try_as_many(tmp_path):
    front = _sought(tmp_path, PretendCrew(3))
    assert front.ok
    assert [one.number for one in front.trials] == list(range(TRIALS))


def test_what_cannot_fit_is_not_trained(tmp_path):
    crew = PretendCrew()
    front = _sought(tmp_path, crew, limits=SearchLimits(max_flash=30.0))
    unfit = [one for one in front.trials if one.state == "unfit"]
    trained = [task.recipe for task in crew.asked if task.kind == "train" and task.steps]
    assert unfit and not any(one.recipe in trained for one in unfit)
    assert front.ok and all(one.takes.flash_kib <= 30.0 for one in front.finalists)
    # Of those that are weaker than one that did not fit, nobody is asked at all.
    weaker = [one for one in unfit if one.reason.startswith("a stronger recipe did not fit")]
    assert all(task.recipe != one.recipe for one in weaker for task in crew.asked)


def test_where_nothing_fits_one_model_is_made(tmp_path):
    base = parse_recipe({"bits": {}})
    crew = PretendCrew()
    front = _sought(tmp_path, crew, limits=SearchLimits(max_flash=0.5), recipe=base)
    assert {one.state for one in front.trials} == {"unfit"}
    # After the look at each pass, only the strongest recipe is looked at.
    looked = [one for one in front.trials if one.seconds]
    assert [one.number for one in looked] == [0]
    assert looked[0].recipe.prune.sparsity == 0.9 and looked[0].recipe.channels.share == 0.8


def test_limits_that_nothing_can_meet_name_what_binds(tmp_path):
    front = _sought(tmp_path, limits=SearchLimits(max_flash=1.0), trials=8)
    assert not front.ok and front.best is None and front.finalists == ()
    assert not (tmp_path / "best").exists()
    with pytest.raises(NotFoundError, match="max_flash is in the way") as caught:
        raise_if_none(front)
    least = min(one.takes.flash_kib for one in front.trials if one.takes.flash_kib)
    assert f"{least:.4g} KiB of flash" in caught.value.problem
    assert caught.value.problem == front.reason
    assert "at most 1 KiB of flash" in caught.value.expected


def test_an_accuracy_that_no_finalist_reaches_binds(tmp_path):
    front = _sought(tmp_path, limits=SearchLimits(max_accuracy_drop=1e-9), trials=8, finalists=2)
    assert not front.ok
    assert "max_accuracy_drop is in the way" in front.reason
    assert len(front.finalists) == 4  # twice as many as were asked for, before it gives up


@pytest.mark.parametrize(
    ("objective", "field"),
    [("latency", "latency_ms"), ("size", "flash_kib"), ("accuracy", "accuracy_drop")],
)
def test_one_objective(tmp_path, objective, field):
    front = _sought(tmp_path, objectives=[objective], trials=8)
    good = [getattr(one.takes, field) for one in front.finalists if not one.missed]
    assert front.ok and getattr(front.finalists[0].takes, field) == min(good)


@pytest.mark.parametrize("sampler", ["nsga2", "random"])
def test_other_samplers(tmp_path, sampler):
    front = _sought(tmp_path, sampler=sampler, trials=8)
    assert len(front.trials) == 8
    dropped = {one.state for one in front.trials} & {"dropped"}
    assert bool(dropped) == (sampler != "random")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"objectives": ["speed"]}, "no objective 'speed'"),
        ({"sampler": "tpee"}, "no sampler 'tpee'; did you mean 'tpe'"),
        ({"trials": 0}, "trials is 0"),
        ({"minutes": -1.0}, "minutes is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"storage": "nothing://here"}, "cannot open the study"),
    ],
)
def test_wrong_use(tmp_path, how, message):
    with pytest.raises(UsageError, match=message):
        _sought(tmp_path, **how)


def test_an_unreachable_cluster(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed")
    with pytest.raises(ConnectError, match=r"no Ray cluster at 127\.0\.0\.1:9"):
        search("model", target="pico", data="data", out=tmp_path, ray="127.0.0.1:9")


def test_the_study_is_a_database_that_optuna_opens(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_crew", lambda order, workers, ray: PretendCrew())
    arguments = {"target": "nucleo-f446re", "data": "data", "out": tmp_path, "trials": 2, "html": False}
    front = search("model", **arguments)
    study = optuna.load_study(study_name="edgesqueeze", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert study.metric_names == ["latency", "size"]
    assert [one.values or [None, None] for one in study.trials if one.state.is_finished()] == [
        [one.takes.latency_ms, one.takes.flash_kib] for one in front.trials
    ]
    assert _timeless(search("model", **arguments, resume=True)) == _timeless(front)
