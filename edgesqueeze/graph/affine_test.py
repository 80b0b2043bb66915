import numpy as np
import pytest

from edgesqueeze.errors import DataError
from edgesqueeze.graph import Quantization, Tensor, parse_tflite
from edgesqueeze.graph.affine import (
    dequantize,
    quantize,
    quantize_input,
    real_input,
    real_range,
    round_half_away,
)
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import litert


def _tensor(dtype="int8", shape=(1, 2, 2), scale=0.5, zero_point=-3):
    quantization = None
    if scale is not None:
        quantization = Quantization(np.float32([scale]), np.int64([zero_point]), 0)
    return Tensor(0, "x", shape, shape, dtype, None, 0, quantization)


def test_halves_go_away_from_zero():
    np.testing.assert_array_equal(round_half_away([0.5, 1.5, -0.5, -2.5, 2.4]), [1, 2, -1, -3, 2])


def test_the_largest_number_below_a_half_goes_to_zero():
    assert round_half_away(np.float32([0.49999997]))[0] == 0


def test_quantize_clamps():
    quantization = Quantization(np.float32([0.5]), np.int64([-3]), 0)
    np.testing.assert_array_equal(quantize([-1e9, 1e9, 0.25, 0.0], quantization, "int8"), [-128, 127, -2, -3])


def test_quantize_is_what_the_operator_computes():
    graph = GraphBuilder()
    x = graph.input((1, 4000), "float32")
    model = parse_tflite(graph.build([graph.quantize(x, "int8")]))
    values = np.random.default_rng(0).uniform(-8, 8, (1, 4000)).astype(np.float32)
    twin = model.main.output_tensors[0]
    # Exact halves, where NumPy's own rounding would go the other way.
    values[0, :200] = (np.arange(200) - 100 + 0.5) * np.float32(twin.quantization.scale)
    (row,) = litert.run_reference(model, [[values]])
    np.testing.assert_array_equal(quantize(values, twin.quantization, "int8"), row[0])


def test_reals_come_back_from_their_integers():
    tensor = _tensor(shape=(1, 256), scale=0.0173)
    integers = np.arange(-128, 128, dtype=np.int8)[None]
    np.testing.assert_array_equal(quantize_input(tensor, dequantize(tensor, integers)), integers)


def test_pixels_are_real_numbers():
    tensor = _tensor("int8", (1, 3), scale=1.0, zero_point=-128)
    np.testing.assert_array_equal(quantize_input(tensor, np.uint8([[0, 7, 255]])), [[-128, -121, 127]])


def test_integers_of_the_input_are_taken_as_they_are():
    tensor = _tensor("int8", (1, 3))
    given = np.int8([[-128, 0, 127]])
    np.testing.assert_array_equal(quantize_input(tensor, given), given)
    np.testing.assert_array_equal(real_input(tensor, given), [[-62.5, 1.5, 65.0]])


def test_float_input_stays_float():
    rows = quantize_input(_tensor("float32", scale=None), np.ones((5, 2, 2), np.float64))
    assert rows.dtype == np.float32
    assert rows.shape == (5, 2, 2)


def test_a_trailing_channel_may_be_left_out():
    assert quantize_input(_tensor(shape=(1, 2, 2, 1)), np.zeros((3, 2, 2))).shape == (3, 2, 2, 1)


@pytest.mark.parametrize("shape", [(3, 4), (3, 2), (3, 2, 2, 2), ()])
def test_another_shape_is_refused(shape):
    with pytest.raises(DataError, match="another shape"):
        quantize_input(_tensor(), np.zeros(shape))


def test_what_is_not_finite_is_refused():
    with pytest.raises(DataError, match="not finite"):
        quantize_input(_tensor(), np.full((1, 2, 2), np.nan))


def test_text_is_refused():
    with pytest.raises(DataError, match="not numbers"):
        quantize_input(_tensor(), np.full((1, 2, 2), "a"))


def test_real_range():
    assert real_range(_tensor()) == (-62.5, 65.0)
