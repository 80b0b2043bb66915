import pytest

from edgesqueeze.checks.metrics import Figure
from runtime_tests.support.zoo.judging import COLUMNS, cells_of, faults_of
from runtime_tests.support.zoo.running import Run, Said
from runtime_tests.support.zoo.table import Case

GOOD, RUINED = Case("net", "a:b"), Case("ruin", "a:b", "not-ok", "the same")
REFUSED = Case("code", "a:b", "refused", "--unsafe")


def said(verb, status=0, out="", err=""):
    return Said(f"edgesqueeze {verb}", status, out, err)


def figure(original=0.95, compressed=0.95, **changes):
    values = {
        "metric": "accuracy",
        "title": "accuracy",
        "output": 0,
        "truth": "labels",
        "unit": "share",
        "higher_is_better": True,
        "decides": True,
        "original": original,
        "compressed": compressed,
        "drop": original - compressed,
    }
    return Figure(**{**values, **changes}).model_dump()


def run(case=GOOD, figures=None, **changes):
    found = {"outputs": [{}], "figures": [figure()] if figures is None else figures}
    parity = {"runtimes": [{"status": "reference"}, {"status": "rounding"}]}
    values = {
        "made": Said("make", 0, "", ""),
        "compress": said("compress"),
        "report": {"fidelity": found},
        "verify": said("verify --against m"),
        "verified": {"fidelity": found, "parity": parity},
        "emit": said("emit"),
    }
    return Run(case, **{**values, **changes})


def test_what_is_as_it_must_be_has_no_faults():
    assert faults_of(run()) == []
    assert faults_of(run(emit=said("emit", 1, err="error: no\n  what to do: less"))) == []
    ruined = run(RUINED, compress=said("compress", 1, err="not ok: the same"))
    assert faults_of(ruined) == []
    refused = said("compress", 2, err="error: code\n  what to do: --unsafe")
    assert faults_of(Run(REFUSED, Said("make", 0, "", ""), refused)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"made": Said("make", 1, "", "oh")}, "it could not be made: oh"),
        ({"compress": said("compress", -11)}, "compress ended with -11"),
        ({"compress": said("compress", 70)}, "compress ended with 70"),
        ({"emit": said("emit", 70)}, "emit ended with 70"),
        ({"verify": said("verify", err="Traceback (most recent call last)")}, "verify printed"),
        ({"emit": said("emit", 1, err="error: no")}, "does not say what to do"),
        ({"report": None, "plain": True}, "the plain converter takes it"),
        ({"report": None}, "not converted"),
        ({"verify": said("verify", 1, "parity is broken")}, "verify ended with 1"),
        ({"verified": None}, "no document"),
        ({"figures": [figure(compressed=0.939)]}, "0.0110 worse, at most 0.01"),
        ({"figures": [figure(0.3, 0.3)]}, "has not learned enough"),
        ({"figures": []}, "no metric decides"),
    ],
)
def test_faults(changes, fault):
    assert fault in "; ".join(faults_of(run(**changes)))


def test_what_verify_says_otherwise_is_a_fault():
    other = {"fidelity": {"outputs": [{}], "figures": [figure(compressed=0.9)]}, "parity": {"runtimes": []}}
    assert faults_of(run(verified=other)) == ["accuracy: compress says 0.950000, verify 0.900000"]
    none = {"fidelity": {"outputs": [{}], "figures": []}, "parity": {"runtimes": []}}
    assert faults_of(run(verified=none)) == ["verify does not report accuracy, compress does"]


def test_what_must_fail_and_does_not_is_a_fault():
    assert "must end with 1" in faults_of(run(RUINED))[0]
    assert "compress must not make a model" in faults_of(run(REFUSED))
    quiet = run(RUINED, compress=said("compress", 1, err="not ok: else"))
    assert faults_of(quiet) == ["compress does not say 'the same'"]


def test_the_row_of_the_table():
    (row,) = cells_of(run(), [])
    assert row == ("net", "ok", "accuracy", "95.00%", "95.00%", "+0.00 points", "rounding", "yes", "yes")
    assert len(row) == len(COLUMNS)
    (row,) = cells_of(Run(REFUSED, Said("make", 0, "", ""), said("compress", 2)), ["a fault"])
    assert row[1] == "refused" and row[-1] == "no"
