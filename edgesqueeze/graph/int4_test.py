"""Weights of even levels as INT4: found by their values, stored with the same meaning."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.int4 import even_levels, one_scale, packed, unpacked, widened, with_int4

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, max_side=7)


def even(shape, most=7, seed=0):
    multiples = np.random.default_rng(seed).integers(-most, most + 1, shape)
    return np.rint(127 * multiples / most).astype(np.int8)


@given(arrays.arrays(np.int8, SHAPES, elements=st.integers(-8, 7)))
def test_packing_and_unpacking(values):
    raw = packed(values)
    assert raw.size == (values.size + 1) // 2
    np.testing.assert_array_equal(unpacked(raw, values.shape), values)


def test_the_first_is_in_the_low_bits():
    assert packed(np.array([1, -1, 7], np.int8)).tolist() == [0xF1, 0x07]


@given(
    arrays.arrays(
        np.int8, arrays.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=st.integers(-7, 7)
    ),
    st.integers(1, 7),
    st.data(),
)
def test_levels_are_found_for_every_grid(multiples, most, data):
    axis = data.draw(st.integers(0, multiples.ndim - 1))
    values = np.rint(127.0 * np.clip(multiples, -most, most) / most).astype(np.int8)
    found = even_levels(values, axis)
    assert found is not None
    shape = [1] * values.ndim
    shape[axis] = -1
    np.testing.assert_array_equal(np.rint(found[0] * (127 / found[1].reshape(shape))), values)
    assert np.abs(found[0]).max() <= 7


@pytest.mark.parametrize("half", [63, 64])
def test_half_steps_may_be_rounded_either_way(half):
    levels, most = even_levels(np.array([[0, half, -half, 127]], np.int8), 0)
    assert (levels.tolist(), most.tolist()) == ([[0, 3, -3, 6]], [6])


@pytest.mark.parametrize("wrong", [1, 17, 19, 126])
def test_one_integer_off_the_grid_is_noticed(wrong):
    values = np.array([[0, 18, 36, 54, 73, 91, 109, 127], [0, 18, -36, wrong, 0, 0, 0, -127]], np.int8)
    assert even_levels(values[:1], 0) is not None
    assert even_levels(values, 0) is None


def test_of_several_grids_the_finest_is_taken():
    _, most = even_levels(np.array([[0, 127, -127], [64, -127, 0]], np.int8), 0)
    assert most.tolist() == [7, 6]


def model_of(weights):
    graph = GraphBuilder()
    x = graph.input((1, 5, 5, 3))
    y = graph.conv2d(x, 4, weights=weights)
    z = graph.depthwise_conv2d(y)
    return parse_tflite(graph.build([z]))


def test_what_a_tensor_stands_for_stays():
    before = model_of(even((4, 3, 3, 3)))
    after = with_int4(before)
    one, other = before.main.operators[0], after.main.operators[0]
    old, new = before.main.tensors[one.inputs[1]], widened(after).main.tensors[other.inputs[1]]
    assert (after.main.tensors[other.inputs[1]].dtype, new.dtype) == ("int4", "int8")
    channels = (4, 1, 1, 1)
    np.testing.assert_allclose(
        new.data * new.quantization.scales.reshape(channels),
        old.data * old.quantization.scales.reshape(channels),
        atol=0.51 * float(old.quantization.scales.max()),
    )
    bias, rounded = before.main.tensors[one.inputs[2]], after.main.tensors[other.inputs[2]]
    scale = before.main.tensors[one.inputs[0]].quantization.scale
    steps = scale * new.quantization.scales
    assert np.abs(rounded.data * steps - bias.data * bias.quantization.scales).max() <= 0.501 * steps.max()
    assert rounded.quantization is None
    # The second operator's weights are on no grid.
    assert after.main.tensors[after.main.operators[1].inputs[1]].dtype == "int8"
    assert len(after.content) < len(before.content)


@pytest.mark.parametrize("axis_scales", [(1.0, 1.0, 1.0), (1.0, 5 / 7, 3 / 7), (3 / 7, 1.0, 0.1)])
def test_dense_weights_have_one_scale_or_stay(axis_scales):
    """Each channel has its own scale, the largest of its multiples over 127, as the converter makes it."""
    tops = [round(7 * one) for one in axis_scales]
    multiples = np.array([[top, -1 if top > 1 else 0, 0, 1] for top in tops], np.int8)
    values = np.rint(127.0 * multiples / np.abs(multiples).max(axis=1, keepdims=True)).astype(np.int8)
    scales = np.array([0.02 * one for one in axis_scales], np.float32)
    found = one_scale(values, scales)
    if axis_scales[-1] == 0.1:
        assert found is None
        return
    np.testing.assert_array_equal(found[0], multiples)
    np.testing.assert_allclose(found[1], 0.02 * 127 / 7, rtol=1e-6)


def test_dense_weights_of_zeros_have_a_scale():
    values, scale = one_scale(np.zeros((2, 3), np.int8), np.array([0.5, 0.25], np.float32))
    assert (values.any(), scale) == (False, 0.5)
    values, scale = one_scale(np.array([[0, 0], [127, -18]], np.int8), np.array([9, 0.07], np.float32))
    assert values.tolist() == [[0, 0], [7, -1]]
    assert scale == pytest.approx(0.07 * 127 / 7)


def test_only_some():
    before = model_of(even((4, 3, 3, 3)))
    weights = before.main.operators[0].inputs[1]
    assert with_int4(before, only=()) is before
    assert with_int4(before, only={weights}).main.tensors[weights].dtype == "int4"


def test_a_model_without_even_levels_stays_as_it_is():
    before = model_of(None)
    assert with_int4(before) is before
    assert widened(before) is before


def test_weights_of_two_operators_stay_as_they_are():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    y = graph.fully_connected(x, 4, weights=even((4, 4)))
    first = parse_tflite(graph.build([y])).main.operators[0]
    graph.op("FULLY_CONNECTED", [y, *first.inputs[1:]], [graph.activation((1, 4), "int8")])
    assert with_int4(parse_tflite(graph.build([y]))).main.tensors[first.inputs[1]].dtype == "int8"


def test_zero_points_and_other_types_stay_as_they_are():
    graph = GraphBuilder()
    y = graph.fully_connected(graph.input((1, 4), "int16"), 4, weights=even((4, 4)))
    model = parse_tflite(graph.build([y]))
    assert with_int4(model) is model
