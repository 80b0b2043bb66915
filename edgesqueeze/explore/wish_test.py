import pytest

from edgesqueeze.errors import UsageError
from edgesqueeze.explore.wish import DEFAULT_OBJECTIVES, Wish, on_target, parse_objectives, ranks, undominated
from edgesqueeze.report.front import SearchLimits, Takes
from edgesqueeze.target.load import load_target

BASELINE = Takes(latency_ms=10.0, flash_kib=100.0, ram_kib=20.0, accuracy_drop=0.0)


def test_limits_that_are_missed_are_named_with_their_share():
    wish = Wish(("latency",), SearchLimits(max_latency=8.0, max_flash=200.0, max_accuracy_drop=0.01))
    takes = Takes(latency_ms=10.0, flash_kib=100.0, accuracy_drop=0.03)
    assert wish.missed(takes) == pytest.approx({"max_accuracy_drop": 2.0, "max_latency": 0.25})
    assert wish.missed(Takes()) == {}
    assert wish.missed(Takes(latency_ms=8.0)) == {}


def test_a_limit_of_nothing_is_missed_by_what_is_lost():
    wish = Wish(("latency",), SearchLimits(max_accuracy_drop=0.0))
    assert wish.missed(Takes(accuracy_drop=0.02)) == {"max_accuracy_drop": 0.02}
    assert wish.missed(Takes(accuracy_drop=-0.02)) == {}


def test_the_score_adds_shares_of_the_quantized_model_and_of_the_limit():
    limits = SearchLimits(max_accuracy_drop=0.02)
    takes = Takes(latency_ms=5.0, flash_kib=25.0, accuracy_drop=0.01)
    assert Wish(("latency", "size"), limits).score(takes, BASELINE) == pytest.approx(0.5 + 0.25)
    assert Wish(("accuracy",), limits).score(takes, BASELINE) == pytest.approx(0.5)
    assert Wish(("accuracy",), SearchLimits(max_accuracy_drop=None)).score(takes, BASELINE) == 1.0


def test_objectives_are_those_that_are_known():
    assert parse_objectives([]) == DEFAULT_OBJECTIVES
    assert parse_objectives(["accuracy", "latency", "latency"]) == ("latency", "accuracy")
    with pytest.raises(UsageError, match="no objective 'latencey'; did you mean 'latency'"):
        parse_objectives(["latencey"])


def test_the_memory_of_the_target_is_a_limit_too():
    board = load_target("nucleo-f446re")
    own = on_target(SearchLimits(max_flash=1.0), board)
    assert own.max_flash == 1.0
    assert own.max_ram == board.memory.usable_ram_bytes / 1024
    assert on_target(SearchLimits(max_flash=1e9), board).max_flash == board.memory.usable_flash_bytes / 1024


def test_what_nothing_dominates():
    rows = [(1, 5), (2, 2), (5, 1), (3, 3), (2, 2)]
    assert undominated(rows) == [True, True, True, False, False]
    assert ranks(rows) == [0, 0, 0, 2, 1]
    assert undominated([]) == [] == ranks([])
