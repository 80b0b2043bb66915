"""A few rows of the table of models, as a user would run them; `scripts/bench models` runs all."""

import pytest

from runtime_tests.support.zoo.judging import faults_of
from runtime_tests.support.zoo.running import run_case
from runtime_tests.support.zoo.table import CASES

QUICK = [case for case in CASES if case.quick]


def test_every_row_has_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(CASES) >= 40
    assert QUICK


@pytest.mark.slow
@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_a_model_is_converted_and_judged_as_it_must_be(case, tmp_path):
    assert faults_of(run_case(case, tmp_path)) == []
