"""Passes together: recipes drawn at random are refused by name, or the file keeps every promise."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.squeeze.layers.weights import model_kernels
from edgesqueeze.squeeze.passes.promises import find_parts
from runtime_tests.support.tiny_keras import depthwise, passed, randomize

BROKEN = {
    "bits-missed",
    "clusters-missed",
    "kernel-not-found",
    "range-missed",
    "settled-moved",
    "sparsity-missed",
}
NAMES = st.lists(st.sampled_from(["first", "middle", "point", "last"]), min_size=1, unique=True)


def sections(**drawn):
    return st.fixed_dictionaries({}, optional=drawn)


def section(**drawn):
    return st.fixed_dictionaries({}, optional={"include": NAMES, **drawn})


RECIPES = sections(
    equalize=section(clipped=st.sampled_from([0.0, 1.0])),
    channels=st.just({"share": 0.3, "step": 1}),
    prune=section(sparsity=st.sampled_from([0.3, 0.6, 0.85])),
    bits=st.one_of(section(), st.just({"max_error": 0.02}), st.just({"budget_kib": 0.5})),
    cluster=section(clusters=st.integers(2, 40)),
    round=section(),
    bias=section(),
    aware=st.sampled_from([{}, {"learn_ranges": False}]),
    quantize=st.fixed_dictionaries(
        {"mode": st.sampled_from(["int8", "int8", "int8", "int16x8", "dynamic", "none"])},
        optional={"calibration": st.sampled_from(["percentile", "mse", "entropy", "best"])},
    ),
)

ALL = {
    "equalize": {},
    "channels": {"share": 0.3, "step": 1},
    "prune": {"sparsity": 0.5},
    "cluster": {"clusters": 8},
    "round": {},
    "bias": {},
    "aware": {},
    "quantize": {"mode": "int8", "calibration": "entropy"},
}


@pytest.mark.slow
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(RECIPES)
@example(ALL)
@example({"bits": {}, "bias": {}, "aware": {}, "quantize": {"mode": "int8", "calibration": "mse"}})
def test_every_promise_is_kept_or_the_recipe_is_refused(raw):
    mode = raw.get("quantize", {}).get("mode", "int8")
    try:
        parse_recipe(raw)
    except RecipeError as error:
        # Only what does not go together is refused, and both are named.
        of_mode = {name for name in ("aware", "bias", "bits", "equalize", "round") if name in raw}
        of_mode |= {"calibration"} & set(raw.get("quantize", {}))
        assert (of_mode and mode in str(error)) or ("prune" in raw and "clusters" in str(error))
        return
    if mode in ("dynamic", "none"):
        raw = {**raw, "quantize": {"mode": mode, "io": "float32"}}
    elif "quantize" in raw:
        raw = {**raw, "quantize": {"percentile": 0.99, **raw["quantize"]}}
    made = passed(randomize(depthwise()), raw)
    assert not {one.code for one in made.findings} & BROKEN
    for kernel in model_kernels(made.model):
        promise = made.promises.get(kernel.key)
        if promise is None:
            continue
        ((_, tensor),) = find_parts(made.tflite, kernel)
        assert promise.bits != 4 or tensor.dtype == "int4"
        assert promise.zeros is None or np.mean(kernel.value == 0) >= promise.zeros - 0.5 / kernel.value.size
