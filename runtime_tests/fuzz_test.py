"""Readers of what strangers made, with damaged inputs: a result or the documented error, and nothing else.

``scripts/bench fuzz`` does the same with a million inputs.
"""

import resource

import pytest

from runtime_tests.support.fuzzing import fuzz, readers
from runtime_tests.support.fuzzing_models import model_readers
from runtime_tests.support.hostile.honest import honest_models

SEED = 20261128
COUNTS = {"tflite": 50_000, "npz": 20_000, "recipe": 20_000, "target": 8000, "protocol": 30_000}
MODEL_COUNTS = {"configuration": 30_000, "container": 200}
MOST_BYTES = 1 << 30


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    return honest_models(folder, folder / "canary")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL_COUNTS)
def test_damaged_models_are_read_or_refused(tmp_path, honest, name):
    reader = model_readers(tmp_path, honest)[name]
    for content in reader.seeds:
        reader.read(content)
    tally = fuzz(reader, MODEL_COUNTS[name], SEED)
    assert tally.faults == ()
    assert min(tally.read, tally.refused) > MODEL_COUNTS[name] // 100


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_damaged_inputs_are_read_or_refused(tmp_path, name):
    reader = readers(tmp_path)[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tally = fuzz(reader, COUNTS[name], SEED)
    assert tally.faults == ()
    # Both happen: inputs are neither all harmless nor all rubbish.
    assert min(tally.read, tally.refused) > COUNTS[name] // 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MOST_BYTES


def test_honest_inputs_are_read(tmp_path):
    for reader in readers(tmp_path).values():
        for content in reader.seeds:
            reader.read(content)


def test_the_same_seed_gives_the_same_inputs(tmp_path):
    reader = readers(tmp_path)["recipe"]
    assert fuzz(reader, 200, 1)[:2] == fuzz(reader, 200, 1)[:2] != fuzz(reader, 200, 2)[:2]


def test_a_fault_is_noticed(tmp_path):
    reader = readers(tmp_path)["tflite"]._replace(read=lambda content: content[10**9])
    tally = fuzz(reader, 10, 1)
    assert len(tally.faults) == 5
    assert "IndexError" in tally.faults[0][1]
