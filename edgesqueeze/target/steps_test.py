import pytest

from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.target.load import load_target
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.target.steps import CHANNEL_STEPS, channel_step, kernels_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [("pico", "small"), ("nucleo-l4r5zi", "dsp"), ("alif-e7", "mve"), ("rpi4", "xnnpack")],
)
def test_steps_are_those_of_the_kernels(name, kind):
    assert kernels_of(load_target(name)) == kind
    assert channel_step(load_target(name)) == CHANNEL_STEPS[kind]
    filled = fill_preferences(parse_recipe({"channels": {}}), load_target(name))
    assert filled.channels.kernels == kind


def test_a_recipe_without_a_step_takes_that_of_the_target():
    board = load_target("alif-e7")
    assert fill_preferences(parse_recipe({"channels": {}}), board).channels.step == CHANNEL_STEPS["mve"]
    assert fill_preferences(parse_recipe({"channels": {"step": 3}}), board).channels.step == 3
    assert fill_preferences(parse_recipe({"channels": {}}), board).channels.share == 0.5
    assert fill_preferences(parse_recipe({"channels": {"flash_kib": 9}}), board).channels.share is None
    assert fill_preferences(parse_recipe({}), board).channels is None
