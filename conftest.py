"""How ``scripts/test`` divides the tests among its workers (pytest-xdist), and what Hypothesis draws.

The tests of a file stay together, because they share what takes long to make: a board behind SSH, a trained
model, a built program. What takes long and shares nothing is dealt out test by test. The longest go first, so
that no worker waits for another at the end.
"""

from __future__ import annotations

import os

import hypothesis
import pytest

# TensorFlow takes oneDNN on some processors only; without it, it cannot compute transposed convolutions with
# dilation. The same for all tests, on every machine.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# There are as many workers as cores: threads of one would wait for those of the others.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The same examples in every run, however busy the machine is.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")

LONGEST = (
    "runtime_tests/applications_test.py",
    "runtime_tests/native_c_test.py",
    "runtime_tests/readme_runs_test.py",
    "runtime_tests/kill_test.py",
    "runtime_tests/ssh_cli_test.py",
    "edgesqueeze/squeeze/passes/cluster_test.py",
    "edgesqueeze/squeeze/passes/convert_test.py",
    "edgesqueeze/squeeze/passes/prune_test.py",
    "edgesqueeze/pipeline/run_test.py",
    "examples/medical_phone/medical_phone_test.py",
    "examples/drone_obstacles/drone_obstacles_test.py",
    "examples/digits/digits_test.py",
    "runtime_tests/readme_test.py",
    "runtime_tests/ssh_install_test.py",
    "runtime_tests/ssh_test.py",
)
"""Files that go first, the longest before the others. Nothing depends on it but the time that a run takes."""

APART = (
    "runtime_tests/applications_test.py::",
    "runtime_tests/native_c_test.py::test_everything_compiles_without_a_warning",
    "runtime_tests/native_c_test.py::test_random_layers_on_each_core_equal_tflm",
)
"""Tests that share nothing with others of their file: the beginnings of their names."""


def part_of(nodeid: str) -> str:
    """What one worker does as a whole: a file, or a single test of those that share nothing."""
    return nodeid if nodeid.startswith(APART) else nodeid.split("::", 1)[0]


def place_of(nodeid: str) -> int:
    """When a test is dealt out: lower numbers first."""
    file = nodeid.split("::", 1)[0]
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadFileScheduling

    class Parts(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return part_of(nodeid)

    return Parts(config, log) if config.getoption("dist") == "loadfile" else None
