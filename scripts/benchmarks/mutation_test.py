import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import mutation_runs
from mutants import mutants_of
from mutation import MODULES, PACKAGE, ROOT, Row, cells, survivor
from mutation_runs import Verdict, WeakTestsError, judge_all

MODULE = """\
def clamp(value, low, high):
    # One step at a time.
    while value < low:
        value += 1
    return value if value < high else high - 1
"""
GOOD = """\
from edgesqueeze.thing import clamp

def test_clamp():
    assert [clamp(value, 2, 5) for value in (-3, 1, 2, 4, 5, 9)] == [2, 2, 2, 4, 4, 4]
"""
WEAK = """\
from edgesqueeze.thing import clamp

def test_clamp():
    assert clamp(3, 2, 5) == 3
"""


@pytest.fixture
def tree(tmp_path):
    """A tree with one module, and a function that writes its tests."""
    package = tmp_path / "edgesqueeze"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "thing.py").write_text(MODULE)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npython_files = ["*_test.py"]\n')
    return tmp_path


def fates(tree, tests, kinds, lines=(3, 4, 5)):
    """What became of the mutants of some kinds and lines, as ``line kind: fate``."""
    (tree / "edgesqueeze" / "thing_test.py").write_text(tests)
    mutants = [one for one in mutants_of(MODULE.encode()) if one.kind in kinds and one.line in lines]
    found = judge_all(tree, "edgesqueeze/thing", mutants, workers=2)
    return [f"{one.mutant.line} {one.mutant.kind}: {one.fate}" for one in found]


def test_good_tests_kill_and_weak_ones_leave_survivors(tree):
    kinds = {"return", "comparison"}
    assert fates(tree, GOOD, kinds) == ["3 comparison: killed", "5 return: killed", "5 comparison: killed"]
    assert fates(tree, WEAK, kinds) == [
        "3 comparison: survived",
        "5 return: killed",
        "5 comparison: survived",
    ]


def test_a_fault_without_an_end_is_killed_by_time(tree, monkeypatch):
    monkeypatch.setattr(mutation_runs, "LEAST_SECONDS", 1.0)
    assert fates(tree, GOOD, {"operator"}, lines=[4]) == ["4 operator: timeout"]


def test_nothing_is_left_behind_and_the_tree_is_not_touched(tree, tmp_path_factory, monkeypatch):
    temporary = tmp_path_factory.mktemp("copies")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    tests = (
        "import os\n"
        + GOOD
        + "\ndef test_place():\n"
        + f"    assert os.getcwd().startswith({str(temporary)!r}) and {str(tree)!r} not in os.getcwd()\n"
        + "    assert os.environ['XDG_CACHE_HOME'].startswith(os.getcwd())\n"
    )
    assert fates(tree, tests, {"return"}) == ["5 return: killed"]
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in (tree / "edgesqueeze").iterdir()) == [
        "__init__.py",
        "thing.py",
        "thing_test.py",
    ]
    assert (tree / "edgesqueeze" / "thing.py").read_text() == MODULE


def test_tests_that_fail_by_themselves_judge_nothing(tree):
    with pytest.raises(WeakTestsError, match=r"thing_test\.py fails without a mutation"):
        fates(tree, GOOD.replace("== [2", "== [3"), {"return"})
    with pytest.raises(WeakTestsError, match="fails without"):
        fates(tree, "x = 1\n", {"return"})
    (tree / "edgesqueeze" / "thing_test.py").unlink()
    mutants = mutants_of(MODULE.encode())
    with pytest.raises(WeakTestsError, match="no such file"):
        list(judge_all(tree, "edgesqueeze/thing", mutants, 1))


def test_what_is_printed():
    source = MODULE.encode()
    mutants = mutants_of(source)
    (returned,) = (one for one in mutants if one.kind == "return")
    assert survivor("thing", source, returned) == (
        "survived: edgesqueeze/thing.py:5 (return)\n"
        "  - return value if value < high else high - 1\n"
        "  + return None"
    )
    verdicts = [Verdict(returned, fate) for fate in ("killed", "timeout", "survived", "killed")]
    assert cells(Row("thing", 9, verdicts, 12.3)) == ["thing", "9", "4", "3", "1", "1", "12"]


def test_every_module_that_decides_has_tests_of_its_own():
    assert len(set(MODULES)) == len(MODULES) >= 8
    for module in MODULES:
        assert (ROOT / PACKAGE / f"{module}_test.py").is_file(), module
        assert mutants_of((ROOT / PACKAGE / f"{module}.py").read_bytes()), module
