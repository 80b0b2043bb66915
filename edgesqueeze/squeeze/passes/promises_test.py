from dataclasses import replace

import numpy as np
import pytest
import tf_keras

from edgesqueeze.graph.weight_blocks import block_numbers
from edgesqueeze.squeeze.layers.kernels import KernelKey, kernel_of, tflite_layout
from edgesqueeze.squeeze.layers.weights import kernel_layers
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.promises import check_promises, find_kernel
from edgesqueeze.squeeze.passes.state import Promise
from runtime_tests.support.tiny_keras import NETS, images, randomize, set_kernel, source_of

layers = tf_keras.layers
LAST = KernelKey("last")


def _converted(model, mode="int8"):
    return convert(model, mode, "int8", source_of(model, images(12)), 12, 0)[0]


@pytest.fixture(scope="module")
def small():
    """One dense kernel of 60 weights: 40 % zeros and 7 values, exactly."""
    image = tf_keras.Input((8, 8, 3), name="image")
    last = layers.Dense(20, name="last")
    model = tf_keras.Model(image, last(layers.GlobalAveragePooling2D()(image)), name="tiny")
    values = np.array([-127, -64, -32, 0, 32, 64, 127]) / 127
    kernel = np.tile(values[[0, 1, 2, 4, 5, 6]], 10).astype(np.float32)
    kernel[:24] = 0
    set_kernel(last, np.random.default_rng(0).permutation(kernel).reshape(3, 20))
    # Each channel must reach full magnitude for the integers to be those above.
    value = kernel_of(last)
    value[0, np.abs(value).max(axis=0) == 0] = 0
    set_kernel(last, value)
    return model, _converted(model)


def _check(small, **promised):
    model, tflite = small
    return list(check_promises(model, tflite, {LAST: Promise(**promised)}))


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, "int8") for name in NETS), ("depthwise", "float16"), ("transpose", "none")]
)
def test_every_kernel_is_found_in_the_file_by_its_values(name, mode):
    model, _ = fold(randomize(NETS[name]()))
    tflite = _converted(model, mode)
    found = [find_kernel(tflite, tflite_layout(one, kernel_of(one))) for one in kernel_layers(model)]
    assert all(tensor is not None for tensor in found)
    assert len({tensor.index for tensor in found}) == len(found)


def test_sparsity_that_was_missed_is_a_warning_with_both_figures(small):
    (finding,) = _check(small, zeros=0.5)
    assert (finding.code, finding.subject, finding.severity) == ("sparsity-missed", "last", "warning")
    assert "40.0%" in finding.message
    assert "50.0%" in finding.message


def test_sparsity_that_no_integer_can_tell_from_more_is_a_note(small):
    (finding,) = _check(small, zeros=0.3)
    assert (finding.code, finding.subject, finding.severity) == ("sparser-than-asked", "last", "note")
    assert "40.0%" in finding.message
    assert "30.0%" in finding.message


@pytest.mark.parametrize("wanted", [0.395, 0.4, 0.409])
def test_sparsity_within_a_point_is_no_finding(small, wanted):
    assert not _check(small, zeros=wanted)


def test_only_blocks_that_are_zero_as_a_whole_count(small):
    numbers = block_numbers((20, 3), (4, 1))
    kernel = kernel_of(next(iter(kernel_layers(small[0])))).T
    whole = np.bincount(numbers.reshape(-1), kernel.reshape(-1) != 0) == 0
    share = float(whole[numbers].mean())
    (finding,) = _check(small, zeros=0.4, block=(4, 1))
    assert (finding.code, finding.severity) == ("sparsity-missed", "warning")
    assert f"in blocks of 4 outputs x 1 inputs in the .tflite is {share:.1%}" in finding.message
    assert not _check(small, zeros=share, block=(4, 1))


def test_layers_that_were_left_out_are_not_judged(small):
    model, tflite = small
    assert not list(check_promises(model, tflite, {KernelKey("another"): Promise(zeros=0.9, levels=3)}))
    assert not list(check_promises(model, tflite, {}))


def test_too_many_values_are_a_warning(small):
    values = int(np.unique(find_kernel(small[1], kernel_of(small[0].layers[-1]).T).data).size)
    assert not _check(small, levels=values)
    (finding,) = _check(small, levels=values - 1)
    assert (finding.code, finding.subject, finding.severity) == ("clusters-missed", "last", "warning")
    assert f"{values} distinct values" in finding.message


def test_what_a_small_kernel_cannot_reach_is_a_note():
    image = tf_keras.Input((8, 8, 3), name="image")
    only = layers.Dense(3, name="only")
    model = tf_keras.Model(image, only(image), name="tiny")
    set_kernel(only, np.array([[1, 0.5, 0], [0, 0, 1], [0.5, 1, 0]], np.float32))
    tflite = _converted(model)
    (finding,) = check_promises(model, tflite, {KernelKey("only"): Promise(zeros=0.4)})
    assert (finding.code, finding.severity) == ("sparsity-granularity", "note")
    assert "9 weights" in finding.message


def test_a_kernel_that_is_not_in_the_file_is_a_warning(small):
    model, _ = fold(randomize(NETS["dense"]()))
    found = list(check_promises(model, small[1], {KernelKey("first"): Promise(zeros=0.5)}))
    assert [(one.code, one.subject) for one in found] == [("kernel-not-found", "first")]


def test_the_width_of_the_integers_is_looked_up(small):
    assert not _check(small, bits=8)
    (finding,) = _check(small, bits=4)
    assert (finding.code, finding.subject, finding.severity) == ("bits-missed", "last", "warning")
    assert "int8" in finding.message


@pytest.mark.parametrize("moved", [0, 1])
def test_settled_integers_are_compared_one_by_one(small, moved):
    model, tflite = small
    tensor = find_kernel(tflite, kernel_of(model.layers[-1]).T)
    data = tensor.data.copy()
    # Not one of full magnitude, by which the kernel is found.
    place = np.flatnonzero(np.abs(data.ravel()) == 64)[0]
    data.ravel()[place] += moved
    tensors = tuple(
        replace(one, data=data) if one.index == tensor.index else one for one in tflite.main.tensors
    )
    graphs = (replace(tflite.main, tensors=tensors), *tflite.graphs[1:])
    found = _check((model, replace(tflite, graphs=graphs)), settled=True)
    assert [(one.code, one.subject) for one in found] == [("settled-moved", "last")] * moved
    assert all("1 of its 60 integers" in one.message for one in found)
