"""Commands that are ended at some moments: earlier output stays whole, and nothing is left behind.

``scripts/bench kill`` does the same at 200 random moments.
"""

import random
import signal

import pytest

from runtime_tests.support.killing import (
    SIGNALS,
    Ground,
    after,
    calibrate_command,
    compress_command,
    emit_command,
    moment,
    when_there_is,
)

pytestmark = pytest.mark.slow
SEED = 11


@pytest.fixture(scope="module")
def emit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emit")
    return Ground(emit_command(folder), folder / "ground")


@pytest.fixture(scope="module")
def compress(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compress")
    return Ground(compress_command(folder), folder / "ground")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("number", SIGNALS)
def test_emit(emit, number, late):
    ending = emit.end(number, moment(emit.seconds, late, random.Random(SEED + number)))
    assert not ending.harm
    if number != signal.SIGKILL:
        assert not (ending.left or ending.mixed)


@pytest.mark.parametrize(("number", "late"), [*((number, False) for number in SIGNALS), (SIGNALS[2], True)])
def test_compress(compress, number, late):
    ending = compress.end(number, moment(compress.seconds, late, random.Random(SEED + number)))
    assert not ending.harm
    if number != signal.SIGKILL:
        assert not (ending.left or ending.mixed)


@pytest.mark.parametrize("number", SIGNALS)
def test_calibrate(tmp_path, number):
    ending = Ground(calibrate_command(90), tmp_path / "ground").end(number, after(3))
    assert not (ending.harm or ending.mixed or ending.new)
    assert number == signal.SIGKILL or not ending.left


def test_what_is_left_is_noticed(emit, monkeypatch):
    monkeypatch.setattr(Ground, "_start_another", lambda self: None)
    ending = emit.end(signal.SIGKILL, when_there_is("new/*"))
    assert set(ending.left) <= set(ending.harm) != set()
