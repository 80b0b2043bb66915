"""What the benchmark of compression says of figures."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compressor import AWARE, PLAIN, ROUNDED_WORST, TOGETHER, VARIANTS, Outcome, judge

from edgesqueeze.recipe.read import parse_recipe

INT8 = Outcome(0.900, 40_000, 4_000, {"Cortex-M4": 4_000, "Cortex-M55": 1_000}, 3.8, 1.0)
CUT = replace(INT8, macs=2_000, instructions={"Cortex-M4": 2_000, "Cortex-M55": 600}, smaller=12.0)


def test_every_variant_is_a_recipe():
    for variant in VARIANTS.values():
        parse_recipe(variant)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 0),
        ({"accuracy": 0.890}, 0),
        ({"accuracy": 0.8898}, 1),
        ({"macs": 2_001}, 1),
        ({"smaller": 11.9}, 1),
        ({"instructions": {"Cortex-M4": 2_300, "Cortex-M55": 600}}, 1),
    ],
)
def test_all_together_may_lose_a_point_and_must_save(change, status):
    found = {PLAIN: INT8, TOGETHER: replace(CUT, **change)}
    assert judge("ds-cnn", [0.900], [found]) == status


@pytest.mark.parametrize(
    ("network", "trained", "status"),
    [
        ("ds-cnn", 0.899, 0),
        ("ds-cnn", 0.8985, 1),
        (ROUNDED_WORST, 0.905, 0),
        (ROUNDED_WORST, 0.9049, 1),
    ],
)
def test_training_as_int8_rounds_is_held_against_rounding_alone(network, trained, status):
    found = {PLAIN: INT8, AWARE: replace(INT8, accuracy=trained)}
    assert judge(network, [0.910], [found]) == status


def test_the_mean_of_the_seeds_counts():
    found = [{PLAIN: INT8, AWARE: replace(INT8, accuracy=one)} for one in (0.897, 0.902)]
    assert judge("ds-cnn", [0.910, 0.910], found) == 0
    assert judge("ds-cnn", [0.910], found[:1]) == 1
