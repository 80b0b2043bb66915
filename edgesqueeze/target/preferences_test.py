"""What a recipe leaves to the target: filled in, or refused in words that say what to do."""

import pytest

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.target.load import load_target
from edgesqueeze.target.preferences import fill_preferences

BOARD = load_target("nucleo-l4r5zi")


def preferring(mode):
    preferences = BOARD.preferences.model_copy(update={"quantization": mode})
    return BOARD.model_copy(update={"preferences": preferences})


def test_every_key_of_quantize_is_kept():
    asked = parse_recipe({"quantize": {"calibration": "mse", "percentile": 0.99, "calibration_samples": 7}})
    filled = fill_preferences(asked, BOARD).quantize
    wanted = {**dict(asked.quantize), "mode": BOARD.preferences.quantization, "io": BOARD.preferences.io}
    assert dict(filled) == wanted


@pytest.mark.parametrize(
    ("mode", "raw"),
    [
        ("float16", {"bits": {}}),
        ("int16x8", {"aware": {}}),
        ("dynamic", {"equalize": {}}),
        ("none", {"round": {}}),
        ("dynamic", {"bias": {}}),
        ("int16x8", {"quantize": {"calibration": "best"}}),
    ],
)
def test_what_does_not_go_with_the_targets_mode_is_an_error_of_ours(mode, raw):
    target = preferring(mode)
    with pytest.raises(RecipeError, match=f"mode (is )?{mode}") as caught:
        fill_preferences(parse_recipe(raw), target)
    assert caught.value.problem.startswith(f"the recipe leaves the mode to {target.name}: ")
    assert caught.value.expected
    assert mode in caught.value.got
    assert "--quantize int8" in caught.value.hint
