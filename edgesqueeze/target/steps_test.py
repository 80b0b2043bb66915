import pytest

from edgesqueeze.recipe import parse_recipe
from edgesqueeze.target.load import load_target
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.target.steps import CHANNEL_STEPS, channel_step


@pytest.mark.parametrize(
    ("name", "kind"),
    [("pico", "portable"), ("nucleo-l4r5zi", "dsp"), ("alif-e7", "mve"), ("rpi4", "xnnpack")],
)
def test_steps_are_those_of_the_kernels(name, kind):
    assert channel_step(load_target(name)) == CHANNEL_STEPS[kind]


def test_a_recipe_without_a_step_takes_that_of_the_target():
    board = load_target("alif-e7")
    assert fill_preferences(parse_recipe({"channels": {}}), board).channels.step == CHANNEL_STEPS["mve"]
    assert fill_preferences(parse_recipe({"channels": {"step": 3}}), board).channels.step == 3
    assert fill_preferences(parse_recipe({}), board).channels is None
