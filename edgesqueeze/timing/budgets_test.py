import pytest

from edgesqueeze.errors import UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.recipe.sections import Channels
from edgesqueeze.runners.firmware_sources import firmware_sources
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.load import load_target
from edgesqueeze.timing import budgets
from edgesqueeze.timing.bench import bench
from edgesqueeze.timing.budgets import BUDGETS, Budget, figures_on
from runtime_tests.support.tflite_builder import tiny_cnn


def test_every_budget_of_a_recipe_has_a_row():
    given = Channels.model_validate(dict.fromkeys(BUDGETS, 1.0))
    assert list(given.budgets) == list(BUDGETS)


def test_figures_are_those_of_the_fit_and_of_bench():
    model, board = parse_tflite(tiny_cnn()), load_target("nucleo-l4r5zi")
    fit = check_fit(board, firmware_sources(model, board).needs)
    found = figures_on(board)(model, tuple(BUDGETS))
    assert found == {
        "latency_ms": bench(model, board, runtime="tflm").latency_ms.estimate,
        "flash_kib": fit.flash.needed_bytes / 1024,
        "ram_kib": fit.ram.needed_bytes / 1024,
    }
    assert figures_on(board)(model, ()) == {}


def test_a_figure_that_is_not_known_is_an_error_that_says_what_to_do(monkeypatch):
    unknown = Budget(lambda model, target: None, "look closer")
    monkeypatch.setattr(budgets, "BUDGETS", {"ram_kib": unknown})
    with pytest.raises(UsageError, match="ram_kib cannot be told for rpi4") as caught:
        figures_on(load_target("rpi4"))(parse_tflite(tiny_cnn()), ["ram_kib"])
    assert caught.value.hint == "look closer"
