import numpy as np
import pytest

from edgesqueeze.errors import DataError, UnsupportedModelError
from edgesqueeze.graph import Quantization, Tensor, parse_tflite
from edgesqueeze.graph.affine import (
    dequantize,
    is_quantized,
    numpy_dtype,
    quantize,
    quantize_input,
    quantized_twin,
    real_input,
    real_range,
    round_half_away,
    without_ones,
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
    assert quantize_input(_tensor(shape=(1, 1)), np.zeros(3)).shape == (3, 1)


@pytest.mark.parametrize("shape", [(3, 4), (3, 2), (3, 2, 2, 2), ()])
def test_another_shape_is_refused(shape):
    with pytest.raises(DataError, match="another shape"):
        quantize_input(_tensor(), np.zeros(shape))


def test_a_number_without_samples_is_refused():
    with pytest.raises(DataError, match="another shape"):
        quantize_input(_tensor(shape=(1,)), np.zeros(()))


def test_what_is_not_finite_is_refused():
    with pytest.raises(DataError, match="not finite"):
        quantize_input(_tensor(), np.full((1, 2, 2), np.nan))


def test_text_is_refused():
    with pytest.raises(DataError, match="not numbers"):
        quantize_input(_tensor(), np.full((1, 2, 2), "a"))


def test_real_range():
    assert real_range(_tensor()) == (-62.5, 65.0)
    assert real_range(_tensor("uint8", scale=0.25, zero_point=100)) == (-25.0, 38.75)


def test_integers_of_another_type_are_real_numbers():
    """Only values that are already of the tensor's own signed type are taken as quantized."""
    given = [[-2, 0, 5]]
    as_reals = [[-7, -3, 7]]
    for dtype in (np.int16, np.int32, np.uint8):
        values = np.abs(np.array(given)).astype(dtype) if dtype is np.uint8 else np.array(given, dtype)
        expected = [[1, -3, 7]] if dtype is np.uint8 else as_reals
        np.testing.assert_array_equal(quantize_input(_tensor("int8", (1, 3)), values), expected)
        np.testing.assert_array_equal(real_input(_tensor("int8", (1, 3)), values), values.astype(np.float32))
    # A uint8 tensor takes pixels, and pixels are real numbers.
    pixels = np.uint8([[0, 7, 200]])
    np.testing.assert_array_equal(
        quantize_input(_tensor("uint8", (1, 3), scale=2.0, zero_point=1), pixels), [[1, 5, 101]]
    )
    np.testing.assert_array_equal(real_input(_tensor("uint8", (1, 3)), pixels), [[0, 7, 200]])


def test_values_without_a_scale_are_only_cast():
    integers = _tensor("int32", (1, 2), scale=None)
    np.testing.assert_array_equal(dequantize(integers, np.int32([[3, -4]])), [[3, -4]])
    assert dequantize(integers, np.int32([[3, -4]])).dtype == np.float32
    np.testing.assert_array_equal(dequantize(_tensor(), np.float32([1.25])), [1.25])
    np.testing.assert_array_equal(dequantize(_tensor(), np.int8([3])), [3.0])


def test_distances_beyond_the_type_do_not_overflow():
    tensor = _tensor("int8", scale=1.0, zero_point=-128)
    np.testing.assert_array_equal(dequantize(tensor, np.int8([-128, 127])), [0, 255])


@pytest.mark.parametrize(
    ("dtype", "scale", "quantized"),
    [
        ("int8", 0.5, True),
        ("uint8", 0.5, True),
        ("int16", 0.5, True),
        ("int32", 0.5, False),
        ("float32", 0.5, False),
        ("int8", None, False),
    ],
)
def test_what_counts_as_quantized(dtype, scale, quantized):
    assert is_quantized(_tensor(dtype, scale=scale)) is quantized


def test_scales_of_channels_are_not_one_scale():
    quantization = Quantization(np.float32([0.5, 0.25]), np.int64([0, 0]), 0)
    assert not is_quantized(Tensor(0, "x", (2, 2), (2, 2), "int8", None, 0, quantization))


def test_types_that_numpy_has():
    assert numpy_dtype(_tensor("int16")) == np.int16
    for dtype in ("int4", "string"):
        with pytest.raises(UnsupportedModelError, match=f"'x' has type {dtype}"):
            numpy_dtype(_tensor(dtype))


def _converted():
    """Real numbers in and out, with a sum of integers between: x -> int8, + itself, -> float32."""
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    inside = graph.quantize(x, "int8")
    both = graph.activation((1, 4), "int8")
    graph.op("ADD", [inside, inside], [both])
    out = graph.activation((1, 4), "float32")
    graph.op("DEQUANTIZE", [both], [out])
    return parse_tflite(graph.build([out])).main, x, inside, both, out


def test_the_twin_of_a_real_tensor_is_on_the_other_side_of_its_conversion():
    main, x, inside, both, out = _converted()
    assert quantized_twin(main, main.tensors[x]).index == inside
    assert quantized_twin(main, main.tensors[out]).index == both
    # These are integers already, whatever is made of them.
    assert quantized_twin(main, main.tensors[inside]).index == inside
    assert quantized_twin(main, main.tensors[both]).index == both


def test_integers_that_get_another_scale_have_no_twin():
    graph = GraphBuilder()
    x = graph.input((1, 4), "int8")
    y = graph.activation((1, 4), "int8")
    graph.op("QUANTIZE", [x], [y])
    main = parse_tflite(graph.build([y])).main
    assert quantized_twin(main, main.tensors[x]).index == x


def test_dimensions_of_one_do_not_count():
    assert without_ones((1, 3, 1, 2)) == (3, 2)
    assert without_ones((0, 1)) == (0,)
    assert quantize_input(_tensor(shape=(1,)), np.zeros((3, 1))).shape == (3,)


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_a_single_number_is_no_row(shape):
    with pytest.raises(DataError, match="another shape"):
        quantize_input(_tensor(shape=shape), np.float32(1.0))
