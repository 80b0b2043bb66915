"""The names in the root's conftest.py, which divides the tests among workers, are of files that are there."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def division(request):
    return request.config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))


def test_files_and_tests_are_there(division):
    for name in division.LONGEST:
        assert (ROOT / name).is_file(), name
    for beginning in division.APART:
        file, test = beginning.split("::")
        assert f"def {test or 'test_'}" in (ROOT / file).read_text(), beginning


def test_a_file_stays_together_unless_its_tests_share_nothing(division):
    assert division.part_of("a_test.py::test_b[1::2]") == "a_test.py"
    apart = division.APART[-1] + "[m4-11]"
    assert division.part_of(apart) == apart
    assert division.part_of("runtime_tests/native_c_test.py::test_counts") == "runtime_tests/native_c_test.py"


def test_the_longest_go_first(division):
    places = [division.place_of(f"{name}::test") for name in (*division.LONGEST, "a_test.py", "b_test.py")]
    assert places == sorted(places)
    assert places[-1] == places[-2]
    assert len(set(places)) == len(places) - 1
