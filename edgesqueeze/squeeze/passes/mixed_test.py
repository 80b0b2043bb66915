"""Four bits for some kernels: those that cost the outputs least, as many as a budget says."""

import numpy as np
import pytest

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.sections import Bits
from edgesqueeze.squeeze.layers.weights import model_kernels
from edgesqueeze.squeeze.passes.bits import check, run
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.state import Setting, State
from edgesqueeze.squeeze.passes.trainings import untrained
from runtime_tests.support.tiny_keras import depthwise, images, passed, randomize, source_of, stored_kernels


@pytest.fixture(scope="module")
def folded():
    return fold(randomize(depthwise()))[0]


def chosen(model, **options):
    """Kernels of four bits with their sizes, the others, and the findings."""
    setting = Setting(model, source_of(model, images(80)), Precision("int8"), 0, 0, untrained)
    outcome = run(State(model), Bits(first_and_last="include", **options), setting)
    sizes = {one.key: one.value.size for one in model_kernels(model)}
    four = {key for key, promise in outcome.state.promises.items() if promise.bits == 4}
    return four, sizes, outcome


def size(four, sizes):
    """Bytes of all kernels."""
    return sum(size - size // 2 * (key in four) for key, size in sizes.items())


def test_a_budget_takes_as_few_kernels_as_keep_to_it(folded):
    _, sizes, _ = chosen(folded)
    whole = sum(sizes.values())
    before = set()
    for share in (1.0, 0.9, 0.7, 0.55):
        four, _, outcome = chosen(folded, budget_kib=share * whole / 1024)
        assert size(four, sizes) <= share * whole
        assert four >= before
        assert (
            all(size(four - {key}, sizes) > share * whole for key in four - before) or len(four - before) > 1
        )
        before = four
        (noted,) = [one for one in outcome.findings if one.code == "bits-chosen"]
        assert f"{len(four)} of 4 kernels" in noted.message
        skipped = {one.subject for one in outcome.findings if one.code == "bits-skipped"}
        assert skipped == {key.layer for key in set(sizes) - four}
    assert before


def test_an_error_takes_as_many_as_keep_to_it(folded):
    x = images(80)
    wanted = folded(x).numpy()
    counts = []
    for most in (1e-6, 2e-3, 1.0):
        four, _, outcome = chosen(folded, max_error=most)
        error = np.mean(np.square(outcome.state.model(x).numpy() - wanted)) / wanted.var()
        assert error <= 1.3 * most
        counts.append(len(four))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 4)


def test_the_file_has_what_was_chosen():
    made = passed(randomize(depthwise()), {"bits": {"weights": 4, "budget_kib": 0.45}, "round": {}})
    types = [one.dtype for one in stored_kernels(made.tflite)]
    assert set(types) == {"int4", "int8"}
    assert sum(one.bits == 4 for one in made.promises.values()) == types.count("int4")
    assert not {one.code for one in made.findings} & {"bits-missed", "settled-moved", "kernel-not-found"}


def test_a_budget_that_cannot_be_met_is_refused_with_the_least_that_can(folded):
    options = Bits(budget_kib=0.1, first_and_last="include")
    with pytest.raises(RecipeError, match=r"0\.1 KiB") as caught:
        check(folded, options)
    _, sizes, _ = chosen(folded)
    least = size(set(sizes), sizes) / 1024
    named = float(caught.value.expected.split()[2])
    assert least <= named <= least + 0.1
    check(folded, Bits(budget_kib=named, first_and_last="include"))
    check(folded, Bits())


def test_one_budget_at_a_time():
    with pytest.raises(RecipeError, match="give one"):
        parse_recipe({"bits": {"budget_kib": 1.0, "max_error": 0.1}})
