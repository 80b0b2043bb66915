"""What a run says of networks that miss a limit: everything is written first, then its status is 1."""

import pytest

import edgesqueeze
from edgesqueeze.errors import AccuracyError
from examples.common.output import end_with, missed_by


def test_a_missed_limit_is_a_sentence_and_none_is_nothing(monkeypatch):
    def missing(report):
        if report == "too much lost":
            raise AccuracyError("the accuracy drop is 7 points", expected="at most 5 points")

    monkeypatch.setattr(edgesqueeze, "raise_if_not_ok", missing)
    assert missed_by("fine") == ""
    assert missed_by("too much lost") == "the accuracy drop is 7 points"


def test_a_run_ends_well_only_if_nothing_was_missed(capsys):
    end_with([""] * 3)
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit) as ended:
        end_with(["", "the accuracy drop is 7 points", ""])
    assert ended.value.code == 1
    assert capsys.readouterr().out == "network 2: LIMIT MISSED: the accuracy drop is 7 points\n"
