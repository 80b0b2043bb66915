"""A search with a real model: what it writes is what compress makes, and workers that die are replaced."""

import json
import os
import signal

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from edgesqueeze.cli import cli
from edgesqueeze.explore.processes import Processes
from edgesqueeze.explore.search import search
from edgesqueeze.explore.tasks import Order, Task
from edgesqueeze.explore.workshop import Workshop
from edgesqueeze.pipeline import compress
from edgesqueeze.recipe.read import load_recipe, parse_recipe
from edgesqueeze.report.front import SearchLimits
from edgesqueeze.report.made import read_report
from edgesqueeze.target.load import load_target
from runtime_tests.support.tiny_keras import dense, images, randomize

pytest.importorskip("optuna", reason="search is not installed")
pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")

TARGET = "nucleo-f446re"
BASE = {"finetune": {"epochs": 2}, "quantize": {"calibration_samples": 16}}
LOOSE = SearchLimits(max_accuracy_drop=0.5)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A model and data as files, without labels."""
    folder = tmp_path_factory.mktemp("given")
    randomize(dense(keras)).save(folder / "tiny.keras")
    np.savez(folder / "data.npz", x_train=images(120), x_test=images(40, seed=1))
    return folder / "tiny.keras", folder / "data.npz"


@pytest.fixture(scope="module")
def found(given, tmp_path_factory):
    """A search of four trials, in this process."""
    out = tmp_path_factory.mktemp("found")
    model, data = given
    how = {"trials": 4, "finalists": 1, "recipe": parse_recipe(BASE), "limits": LOOSE}
    return out, search(model, target=TARGET, data=data, out=out, **how)


def test_compress_makes_the_best_again_byte_for_byte(given, found, tmp_path):
    out, front = found
    assert front.ok
    model, data = given
    recipe = load_recipe(out / "best" / "recipe.toml")
    result = compress(model, target=TARGET, data=data, out=tmp_path / "again", recipe=recipe)
    names = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert set(names) | {"recipe.toml"} == {path.name for path in (out / "best").iterdir()}
    for name in names:
        # The report has times, a .keras file the date.
        if name not in ("report.json", "model.keras", "edgesqueeze.sha256"):
            assert (tmp_path / "again" / name).read_bytes() == (out / "best" / name).read_bytes(), name
    assert front.finalists[0].takes.flash_kib == result.report.fit.flash.needed_bytes / 1024


def test_there_is_a_page(found):
    out, front = found
    text = (out / "report.html").read_text()
    assert text.startswith("<!doctype html>") and front.model in text
    # Its finalists are looked at as closely as the page of compress --html.
    details = read_report(out / "best").details
    assert details.layer_errors and details.plain.latency_ms is not None and details.left_out == ()


def test_without_labels_agreement_is_used_and_named(found):
    _, front = found
    assert (front.accuracy.truth, front.accuracy.title) == ("original", "same class")
    assert front.accuracy.original == 1.0
    assert (front.accuracy.trial_samples, front.accuracy.test_samples) == (24, 40)


def test_what_saves_nothing_on_the_target_is_left_out(found):
    _, front = found
    # TensorFlow Lite Micro stores zeros and clusters like all other weights.
    assert {"prune", "cluster"} <= set(front.left_out)
    assert not any(one.recipe.prune or one.recipe.cluster for one in front.trials)
    assert any(one.recipe.channels for one in front.trials)


def test_a_limit_that_nothing_meets_ends_with_1(given, tmp_path):
    model, data = given
    (tmp_path / "recipe.toml").write_text("[finetune]\nepochs = 0\n[quantize]\ncalibration_samples = 16\n")
    how = ("--trials", "1", "--max-flash", "1", "--recipe", tmp_path / "recipe.toml", "--json")
    arguments = ("search", model, "--target", TARGET, "--data", data, "--out", tmp_path / "out", *how)
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    assert done.exit_code == 1
    front = json.loads(done.stdout)
    assert not front["ok"] and "max_flash is in the way" in front["reason"]
    assert [one["state"] for one in front["trials"]] == ["unfit"]


def test_a_mistake_of_ours_costs_one_recipe(given, monkeypatch):
    model, data = given
    base = parse_recipe(BASE)
    shop = Workshop(Order(str(model), str(data), load_target(TARGET), base, latency=True))
    monkeypatch.setattr("edgesqueeze.explore.workshop.squeeze", lambda *given, **named: [][0])
    answer = shop.do(Task("look", parse_recipe({**BASE, "equalize": {}})))
    assert "went wrong inside EdgeSqueeze: IndexError" in answer.error.problem
    with pytest.raises(IndexError):
        shop.do(Task("look", base))


def test_a_worker_that_dies_is_replaced_and_its_task_done_again(given):
    model, data = given
    order = Order(str(model), str(data), load_target(TARGET), parse_recipe(BASE), latency=True)
    crew = Processes(order, 2)
    try:
        before = [one.process.pid for one in crew._workers]
        task = Task("train", parse_recipe({**BASE, "prune": {"sparsity": 0.5}}), 4)
        crew.start(0, task)
        crew.start(1, task)
        os.kill(before[0], signal.SIGKILL)
        answers = dict([*crew.wait(), *crew.wait()])
        after = [one.process.pid for one in crew._workers]
    finally:
        crew.close()
    assert answers[0].error is None
    # A pure function of the model, the recipe and the steps, whoever computes it.
    assert answers[0].takes == answers[1].takes
    assert (before[0] != after[0], before[1] == after[1]) == (True, True)
