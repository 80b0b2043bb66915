"""Passes together: recipes drawn at random are refused by name, or the file keeps every promise."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.squeeze.layers.weights import model_kernels
from edgesqueeze.squeeze.passes.promises import find_parts
from runtime_tests.support.tiny_keras import depthwise, passed, randomize

BROKEN = {"kernel-not-found", "sparsity-missed", "clusters-missed", "settled-moved", "bits-missed"}
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
    quantize=st.fixed_dictionaries({"mode": st.sampled_from(["int8", "int8", "int16x8", "dynamic", "none"])}),
)


@pytest.mark.slow
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(RECIPES)
def test_every_promise_is_kept_or_the_recipe_is_refused(raw):
    mode = raw.get("quantize", {}).get("mode", "int8")
    try:
        parse_recipe(raw)
    except RecipeError as error:
        # Only what does not go together is refused, and both are named.
        pairs = {"equalize": mode, "bias": mode, "round": mode, "bits": mode, "prune": "clusters"}
        assert any(name in raw and str(named) in str(error) for name, named in pairs.items())
        return
    if mode in ("dynamic", "none"):
        raw = {**raw, "quantize": {"mode": mode, "io": "float32"}}
    made = passed(randomize(depthwise()), raw)
    assert not {one.code for one in made.findings} & BROKEN
    for kernel in model_kernels(made.model):
        promise = made.promises.get(kernel.key)
        if promise is None:
            continue
        ((_, tensor),) = find_parts(made.tflite, kernel)
        assert promise.bits != 4 or tensor.dtype == "int4"
        assert promise.zeros is None or np.mean(kernel.value == 0) >= promise.zeros - 0.5 / kernel.value.size
