import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.checks.original import in_output_order
from edgesqueeze.errors import DataError, FloatOperatorError, UnsupportedModelError
from edgesqueeze.graph.ranges import ranges_in
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples, real_outputs
from edgesqueeze.squeeze.passes.convert import MIN_CALIBRATION, calibrated, convert
from runtime_tests.support.tiny_keras import conv2d, images, randomize, source_of

layers = tf_keras.layers


def _convert(model, mode="int8", io="int8", count=32, samples=24):
    data = [
        np.random.default_rng(0).normal(size=(count, *one.shape[1:])).astype("f4") for one in model.inputs
    ]
    return convert(model, mode, io, source_of(model, *data), samples, 0)


def _chain(*steps, shape=(8, 8, 3)):
    image = tf_keras.Input(shape, name="image")
    x = image
    for step in steps:
        x = step(x)
    return randomize(tf_keras.Model(image, x, name="tiny"))


def _outputs(tflite, names, *inputs):
    return real_outputs(tflite, litert.run(tflite, data_samples(tflite, EvalData(inputs, None, names))))


@pytest.mark.parametrize(
    ("mode", "io", "found"),
    [
        ("int8", "int8", "int8"),
        ("int8", "uint8", "uint8"),
        ("int8", "float32", "float32"),
        ("int16x8", "int8", "int16"),
        ("int16x8", "float32", "float32"),
        ("float16", "int8", "float32"),
        ("dynamic", "int8", "float32"),
        ("none", "int8", "float32"),
    ],
)
def test_types_of_inputs_and_outputs(mode, io, found):
    model = _chain(layers.Flatten(), layers.Dense(8))
    tflite, findings = _convert(model, mode, io)
    assert [tensor.dtype for tensor in tflite.main.input_tensors] == [found]
    assert [tensor.dtype for tensor in tflite.main.output_tensors] == [found]
    assert not findings
    data = images(5)
    want = np.asarray(model(data))
    (have,) = _outputs(tflite, ("image",), data)
    assert np.abs(want - have).max() < 0.05 * np.abs(want).max()


@pytest.mark.parametrize("mode", ["int8", "float16"])
@pytest.mark.parametrize(
    "steps",
    [
        (layers.Flatten(), layers.Dense(4)),
        (layers.Conv2D(4, 3), layers.Reshape((9, 16)), layers.Permute((2, 1)), layers.Dense(2)),
        (
            layers.GlobalAveragePooling2D(),
            layers.Reshape((1, 1, 3)),
            layers.UpSampling2D(4),
            layers.Conv2D(2, 1),
        ),
    ],
    ids=["flatten", "reshape", "upsample"],
)
def test_the_batch_is_one_and_no_shape_is_computed(mode, steps):
    tflite, _ = _convert(_chain(*[type(step).from_config(step.get_config()) for step in steps]), mode)
    assert tflite.main.input_tensors[0].shape[0] == 1
    assert -1 not in tflite.main.input_tensors[0].signature
    kinds = {operator.opcode for operator in tflite.operators}
    assert not kinds & {"SHAPE", "PACK", "STRIDED_SLICE"}
    assert all(-1 not in tensor.signature for tensor in tflite.main.tensors)


@pytest.mark.parametrize(
    ("mode", "one", "other"), [("int8", "left", "right"), ("none", "z-1", "a/b:c"), ("int8", "_x", "2")]
)
def test_two_inputs_and_two_outputs(mode, one, other):
    a, b = tf_keras.Input((4,), name=one), tf_keras.Input((6,), name=other)
    x = layers.Concatenate()([layers.Dense(5)(b), a])
    model = randomize(tf_keras.Model([b, a], [layers.Dense(2, name="z")(x), layers.Dense(3, name="y")(x)]))
    tflite, _ = _convert(model, mode, "float32")
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(5, 6)).astype("f4"), rng.normal(size=(5, 4)).astype("f4")]
    want = in_output_order(tflite, [np.asarray(one) for one in model(data)])
    have = _outputs(tflite, (other, one), *data)
    assert sorted(one.shape for one in have) == [(5, 2), (5, 3)]
    for right, found in zip(want, have, strict=True):
        assert np.abs(right - found).mean() < 0.05 * np.abs(right).max()


def test_inputs_of_the_same_shape_keep_their_own_ranges():
    small, large = tf_keras.Input((4,), name="z"), tf_keras.Input((4,), name="a")
    model = tf_keras.Model(
        [small, large], layers.Concatenate()([layers.Dense(2)(small), layers.Dense(2)(large)])
    )
    rng = np.random.default_rng(0)
    data = [rng.uniform(-1, 1, (20, 4)), rng.uniform(-100, 100, (20, 4))]
    tflite, _ = convert(model, "int8", "int8", source_of(model, *data), 20, 0)
    scales = {tensor.name: tensor.quantization.scale for tensor in tflite.main.input_tensors}
    found = {name.removeprefix("serving_default_")[0]: scale for name, scale in scales.items()}
    assert found["z"] == pytest.approx(2 / 255, rel=0.1)
    assert found["a"] == pytest.approx(200 / 255, rel=0.1)


@pytest.mark.parametrize("mode", ["int8", "int16x8"])
def test_full_integer_that_is_not_possible_names_the_operator(mode):
    model = _chain(layers.Reshape((8, 8, 3, 1)), layers.Conv3D(2, 3), layers.Flatten(), layers.Dense(2))
    with pytest.raises((FloatOperatorError, UnsupportedModelError)) as caught:
        _convert(model, mode)
    assert "CONV_3D" in caught.value.got
    assert caught.value.hint


def test_a_float_operator_that_remains_is_named_with_its_tensor():
    model = _chain(layers.Reshape((8, 8, 3, 1)), layers.Conv3D(2, 3), layers.Flatten(), layers.Dense(2))
    with pytest.raises(FloatOperatorError, match="remain float") as caught:
        _convert(model)
    assert "CONV_3D (" in caught.value.got
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("mode", ["float16", "dynamic", "none"])
def test_modes_that_allow_float_take_such_a_model(mode):
    model = _chain(layers.Reshape((8, 8, 3, 1)), layers.Conv3D(2, 3), layers.Flatten(), layers.Dense(2))
    tflite, _ = _convert(model, mode)
    assert "CONV_3D" in {operator.opcode for operator in tflite.operators}


def test_full_integer_models_compute_in_integers():
    tflite, _ = _convert(randomize(conv2d()))
    assert not {tensor.dtype for tensor in tflite.main.tensors} & {"float32", "float16"}


@pytest.mark.parametrize("mode", ["int8", "int16x8"])
def test_too_few_samples_to_calibrate_on_are_an_error(mode):
    model = _chain(layers.Flatten(), layers.Dense(4))
    with pytest.raises(DataError, match="9 samples are too few to calibrate on"):
        _convert(model, mode, count=MIN_CALIBRATION - 1)


def test_fewer_samples_than_asked_for_are_a_finding():
    model = _chain(layers.Flatten(), layers.Dense(4))
    _, findings = _convert(model, count=12, samples=200)
    assert [(one.code, one.severity) for one in findings] == [("calibration-small", "warning")]
    assert "12 of the 200" in findings[0].message


@pytest.mark.parametrize("mode", ["float16", "dynamic", "none"])
def test_modes_without_calibration_need_no_samples(mode):
    _, findings = _convert(_chain(layers.Flatten(), layers.Dense(8)), mode, count=1)
    assert not findings


def test_an_operator_that_tflite_lacks_is_named():
    import tensorflow as tf

    model = _chain(layers.Lambda(lambda x: tf.linalg.det(x[:, :3, :3, 0])[:, None]), layers.Dense(1))
    with pytest.raises(UnsupportedModelError, match="cannot convert the model") as caught:
        _convert(model, "none")
    assert "MatrixDeterminant" in caught.value.got


TRAINED = """
import hashlib
from edgesqueeze.pipeline import compress
from edgesqueeze.recipe.read import parse_recipe
from runtime_tests.support.tiny_keras import conv2d, images, randomize
recipe = parse_recipe({"prune": {"sparsity": 0.6}, "cluster": {"clusters": 6}, "seed": 5,
    "finetune": {"epochs": 2, "batch_size": 6}, "quantize": {"calibration_samples": 12}})
model = randomize(conv2d())
for _ in range(TIMES):
    result = compress(model, target="rpi4", data=images(), recipe=recipe)
    assert sum(stage.steps for stage in result.report.stages) == 14
    print(hashlib.sha256(result.tflite.content).hexdigest())
"""


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_bytes_in_one_process_and_in_another():
    hashes = []
    for times in (2, 1):
        code = TRAINED.replace("TIMES", str(times))
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        hashes += run.stdout.split()
    assert len(hashes) == 3
    assert len(set(hashes)) == 1


@pytest.mark.parametrize(("cell", "variables"), [(layers.GRU, 1), (layers.LSTM, 2)])
def test_a_stateful_layer_remembers_in_integers(cell, variables):
    pieces = tf_keras.Input((4, 3), batch_size=1, name="piece")
    scores = layers.Dense(6)(cell(8, stateful=True)(pieces))
    model = randomize(tf_keras.Model(pieces, scores, name="tiny"))
    tflite, _ = _convert(model, count=200, samples=150)
    assert state_of(tflite).resources == variables
    assert not any(tensor.dtype.startswith("float") for tensor in tflite.main.tensors)
    data = np.random.default_rng(1).normal(size=(12, 4, 3)).astype(np.float32)
    model.reset_states()
    want = np.concatenate([np.asarray(model(data[i : i + 1])) for i in range(len(data))])
    (have,) = _outputs(tflite, ("piece",), data)
    assert np.sqrt(np.mean((want - have) ** 2)) < 0.02 * want.std()
    # What each piece gives without a past is something else.
    apart = [_outputs(tflite, ("piece",), data[i : i + 1])[0] for i in range(len(data))]
    assert np.abs(np.concatenate(apart) - have).max() > 0.05


@pytest.mark.parametrize("options", [{}, {"return_state": True}], ids=str)
def test_a_stateful_layer_may_be_the_output(options):
    pieces = tf_keras.Input((4, 3), batch_size=1, name="pieces")
    model = randomize(tf_keras.Model(pieces, layers.GRU(6, stateful=True, **options)(pieces), name="tiny"))
    tflite, _ = _convert(model, count=200, samples=150)
    x = np.random.default_rng(2).normal(size=(10, 4, 3)).astype(np.float32)
    found = _outputs(tflite, ("pieces",), x)[0].reshape(10, 6)
    model.reset_states()
    wanted = np.concatenate([tf.nest.flatten(model(one[None]))[0] for one in x])
    assert np.sqrt(np.mean((wanted - found) ** 2)) < 0.03 * wanted.std()
    apart = np.concatenate([_outputs(tflite, ("pieces",), one[None])[0].reshape(1, 6) for one in x])
    assert np.abs(apart - found).max() > 0.05


@pytest.mark.parametrize("mode", ["int8", "int16x8"])
def test_two_directions_have_a_scale_each_until_they_are_joined(mode):
    both = layers.Bidirectional(layers.LSTM(6, return_sequences=True))
    model = _chain(both, layers.Bidirectional(layers.LSTM(4)), layers.Dense(3), shape=(5, 3))
    tflite, _ = _convert(model, mode, count=64, samples=64)
    data = np.random.default_rng(0).normal(size=(64, 5, 3)).astype(np.float32)
    (have,) = _outputs(tflite, ("image",), data)
    want = np.asarray(model(data))
    assert np.sqrt(np.mean((want - have) ** 2)) < 0.03 * want.std()


@pytest.mark.parametrize("mode", ["int8", "int16x8"])
def test_a_layer_that_is_applied_twice_has_a_bias_for_each_input(mode):
    x = tf_keras.Input((5,), name="x")
    shared = layers.Dense(5)
    model = randomize(tf_keras.Model(x, shared(layers.Lambda(lambda y: 0.05 * y)(shared(x)))))
    shared.set_weights([shared.get_weights()[0], np.float32([3, -2, 1, 2, -3])])
    tflite, _ = _convert(model, mode)
    data = np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32)
    (have,) = _outputs(tflite, ("x",), data)
    want = np.asarray(model(data))
    assert np.sqrt(np.mean((want - have) ** 2)) < 0.02 * want.std()


@pytest.mark.parametrize("mode", ["int8", "int16x8"])
def test_a_negation_is_rewritten_where_it_would_stay_float(mode):
    """Keras 3 normalizes layers with one, and the converter has no integer form of it."""

    class Negated(layers.Layer):
        def call(self, inputs):
            return -inputs * tf.reduce_mean(-inputs, axis=-1, keepdims=True)

    model = _chain(layers.Conv2D(3, 3), Negated(), layers.Flatten(), layers.Dense(4))
    tflite, _ = _convert(model, mode)
    assert not [one for one in tflite.main.operators if one.kind == "NEG"]
    data = images(5)
    want = np.asarray(model(data))
    (have,) = _outputs(tflite, ("image",), data)
    assert np.abs(want - have).max() < 0.06 * np.abs(want).max()


def test_a_negation_elsewhere_leaves_an_activation_whole():
    """GELU holds one itself, and the converter knows it as a whole only."""
    negated = layers.Lambda(lambda x: -x * tf.reduce_mean(-x, axis=-1, keepdims=True))
    model = _chain(layers.Dense(6, activation="gelu"), negated, layers.Dense(4), shape=(5,))
    assert {"GELU", "MUL"} <= {one.kind for one in _convert(model)[0].main.operators}


def test_squares_are_rewritten_where_they_would_stay_float():
    """Of a squared difference in five dimensions, as group normalization has it, the converter makes one."""

    class Grouped(layers.Layer):
        def call(self, inputs):
            x = tf.reshape(inputs, (-1, 6, 6, 2, 2))
            apart = tf.math.squared_difference(x, tf.reduce_mean(x, axis=(1, 2, 4), keepdims=True))
            return tf.reshape(apart, (-1, 6, 6, 4)) + 0.1 * tf.square(inputs)

    model = _chain(layers.Conv2D(4, 3), Grouped(), layers.Flatten(), layers.Dense(4))
    tflite, _ = _convert(model)
    assert not [one for one in tflite.main.operators if one.kind == "SQUARE"]
    data = images(5)
    want = np.asarray(model(data))
    (have,) = _outputs(tflite, ("image",), data)
    assert np.abs(want - have).max() < 0.1 * np.abs(want).max()


@pytest.mark.parametrize(("units", "found"), [(4, ["weights-not-quantized"]), (40, [])])
def test_weights_that_dynamic_range_leaves_alone_are_told(units, found):
    model = _chain(layers.Flatten(), layers.Dense(units))
    _, findings = _convert(model, "dynamic")
    assert [one.code for one in findings] == found


class Squared(layers.Layer):
    def call(self, inputs):
        return tf.square(inputs) + inputs


class Spectrum(layers.Layer):
    def call(self, inputs):
        return tf.abs(tf.signal.rfft(inputs))


def test_a_square_is_rewritten_where_it_would_stay_float():
    """Keras's STFTSpectrogram is two convolutions and squares."""
    model = _chain(layers.Conv2D(3, 3), Squared(), layers.Flatten(), layers.Dense(4))
    tflite, _ = _convert(model)
    assert not [one for one in tflite.main.operators if one.kind == "SQUARE"]
    data = images(5)
    want = np.asarray(model(data))
    (have,) = _outputs(tflite, ("image",), data)
    assert np.abs(want - have).max() < 0.06 * np.abs(want).max()


def test_a_fourier_transform_has_no_integer_form():
    model = _chain(Spectrum(name="mel"), layers.Dense(4), shape=(16,))
    with pytest.raises(FloatOperatorError, match="the layer 'mel' computes a Fourier transform") as caught:
        _convert(model)
    assert "model.get_layer('mel').output" in caught.value.hint
    assert _convert(model, "dynamic")[0].main.operators


def test_ranges_that_are_given_replace_those_that_samples_show():
    model = _chain(layers.Conv2D(4, 3, activation="relu", name="first"), layers.Flatten(), layers.Dense(3))
    source = source_of(model, np.random.default_rng(0).normal(size=(32, 8, 8, 3)).astype("f4"))
    shown = ranges_in(calibrated(model, source, 24, 0).content)
    name = next(one for one in shown if "first/Relu" in one)
    assert shown[name].low == 0
    found, _ = convert(model, "int8", "int8", source, 24, 0, {name: (0.0, 25.5)})
    output = found.main.tensors[found.main.operators[0].outputs[0]]
    assert (output.quantization.scale, output.quantization.zero_point) == (pytest.approx(0.1), -128)
    plain, _ = convert(model, "int8", "int8", source, 24, 0)
    others = [one.main.input_tensors[0].quantization.scale for one in (plain, found)]
    assert others[0] == others[1]


@pytest.mark.parametrize("mode", ["int8", "int16x8"])
def test_a_tensor_has_the_range_of_what_it_held_before_it_was_overwritten(mode):
    larger = layers.Lambda(lambda values: values * 40.0)
    model = _chain(layers.Conv2D(4, 3, activation="relu"), larger, layers.Flatten(), layers.Dense(3))
    tflite, _ = _convert(model, mode)
    assert len(tflite.main.outputs) == 1
    multiply = next(one for one in tflite.main.operators if one.opcode == "MUL")
    before, after = (tflite.main.tensors[one] for one in (multiply.inputs[0], multiply.outputs[0]))
    assert after.quantization.scale == pytest.approx(40 * before.quantization.scale, rel=1e-3)


def test_scores_have_their_own_range_and_not_that_of_their_softmax():
    scores = layers.Lambda(lambda values: 1e-3 * values)
    model = _chain(layers.Dense(8), scores, layers.Softmax(), layers.Dense(4), shape=(6,))
    tflite, _ = _convert(model)
    softmax = next(one for one in tflite.main.operators if one.opcode == "SOFTMAX")
    assert tflite.main.tensors[softmax.inputs[0]].quantization.scale < 1e-3


@pytest.mark.parametrize(("mode", "most"), [("int8", 0.06), ("int16x8", 0.02)])
@pytest.mark.parametrize("times", [1.0, 6.0])
def test_masked_attention_attends_in_integers(times, mode, most):
    mask = np.triu(np.full((6, 6), -1e9, np.float32), 1)

    def attend(values):
        scores = times * tf.matmul(values, values, transpose_b=True) / 3.0
        return tf.matmul(tf.nn.softmax(scores + mask), values)

    model = _chain(layers.Dense(8), layers.Lambda(attend), layers.Dense(4), shape=(6, 5))
    tflite, _ = _convert(model, mode, count=120, samples=100)
    assert not any(tensor.dtype.startswith("float") for tensor in tflite.main.tensors)
    data = np.random.default_rng(0).normal(size=(120, 6, 5)).astype(np.float32)
    (found,) = _outputs(tflite, ("image",), data)
    wanted = np.asarray(model(data))
    assert np.sqrt(np.mean((found - wanted) ** 2)) < most * wanted.std()


def test_int16_has_room_for_more_than_calibration_saw():
    model = _chain(layers.Dense(8, activation="relu"), layers.Dense(3), shape=(6,))
    tflite, _ = _convert(model, "int16x8")
    data = np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32)
    shown = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
    data *= 1.8 * np.abs(shown).max() / np.abs(data).max()
    (found,) = _outputs(tflite, ("image",), data)
    wanted = np.asarray(model(data))
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.02 * wanted.std()


def test_zeros_in_a_sum_are_no_end_of_the_process():
    """A scale of 0, as the quantizer of int16x8 gives them, is one on which LiteRT aborts."""
    less = layers.Lambda(lambda values: np.zeros(6, np.float32) - values)
    model = _chain(layers.Dense(6), layers.Activation("tanh"), less, layers.Dense(3), shape=(8,))
    tflite, _ = _convert(model, "int16x8")
    subtract = next(one for one in tflite.main.operators if one.opcode == "SUB")
    assert all(tflite.main.tensors[one].quantization.scale > 0 for one in subtract.inputs)
    data = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32)
    (found,) = _outputs(tflite, ("image",), data)
    wanted = np.asarray(model(data))
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()


def test_a_range_of_no_tensor_is_an_error():
    model = _chain(layers.Flatten(), layers.Dense(3))
    source = source_of(model, np.random.default_rng(0).normal(size=(32, 8, 8, 3)).astype("f4"))
    with pytest.raises(UnsupportedModelError, match="nothing"):
        convert(model, "int8", "int8", source, 24, 0, {"nothing": (0.0, 1.0)})


def _reading_twice(function):
    """A model in which what a convolution gives is read by several operators."""
    return _chain(layers.Conv2D(6, 3), layers.Lambda(function), layers.Flatten(), layers.Dense(5))


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (lambda x: tf.maximum(x, 0.1 * x), {"MAXIMUM"}),
        (lambda x: tf.nn.relu(x) + 0.5 * tf.minimum(x, 0.0), {"MINIMUM"}),
        (lambda x: tf.where(x >= 1.0, x, 0.25 * tf.square(tf.nn.relu(x + 1.0))), {"SELECT", "SELECT_V2"}),
        (
            lambda x: (
                tf.nn.relu(x) + 0.5 * tf.reshape(tf.minimum(tf.reshape(x, (-1, 6)), 0.0), (-1, 6, 6, 6))
            ),
            {"MINIMUM"},
        ),
        (tf.nn.elu, {"ELU"}),
        (lambda x: tf.nn.selu(3 * x), {"ELU"}),
        (lambda x: tf.nn.softplus(4 * x), {"LOG"}),
        (lambda x: 4 * x * tf.tanh(tf.nn.softplus(4 * x)), {"TANH"}),
        (lambda x: x * tf.cast(x > 0.5, tf.float32), {"GREATER"}),
        (lambda x: x + 0.1 * x**3, {"MUL"}),
    ],
    ids=["leaky", "below", "plus", "moved", "elu", "selu", "softplus", "mish", "mask", "cube"],
)
def test_what_the_quantizer_spoils_or_leaves_float_is_right_in_integers(function, kinds):
    model = _reading_twice(function)
    tflite, _ = _convert(model, count=64, samples=64)
    assert kinds & {one.opcode for one in tflite.main.operators}
    assert not {"LEAKY_RELU", "CAST"} & {one.opcode for one in tflite.main.operators}
    data = np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype("f4")
    want = np.asarray(model(data))
    (have,) = _outputs(tflite, ("image",), data)
    assert np.sqrt(np.mean((want - have) ** 2)) < 0.04 * want.std()


def _normed(values):
    apart = values - tf.reduce_mean(values, -1, keepdims=True)
    return apart / tf.sqrt(tf.reduce_mean(tf.square(apart), -1, keepdims=True) + 1e-3)


LACKING = {
    "elu": tf.nn.elu,
    "selu": lambda x: tf.nn.selu(3 * x),
    "softplus": lambda x: tf.nn.softplus(4 * x),
    "hard swish": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "sum": lambda x: tf.reduce_sum(x, axis=(1, 2)),
    "quotient": lambda x: x / (1 + tf.abs(x)),
    "minimum": lambda x: tf.nn.relu(x) + 0.5 * tf.minimum(x, 0.0),
    "norm": _normed,
}


@pytest.mark.parametrize("name", [*LACKING, "LayerNormalization", "PReLU"])
def test_what_runtimes_lack_in_int16_is_made_of_what_they_have(name):
    layer = layers.Lambda(LACKING[name]) if name in LACKING else getattr(layers, name)()
    model = _chain(layers.Conv2D(6, 3), layer, layers.Flatten(), layers.Dense(5))
    tflite, _ = _convert(model, "int16x8", count=32, samples=32)
    data = np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype("f4")
    want = np.asarray(model(data))
    (have,) = _outputs(tflite, ("image",), data)
    assert np.sqrt(np.mean((want - have) ** 2)) < 0.02 * want.std()


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
def test_pixels_that_are_made_real_numbers_are_an_input_as_any_other(io):
    pixels = tf_keras.Input((6, 6, 3), dtype="uint8", name="pixels")
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(pixels))
    model = randomize(tf_keras.Model(pixels, layers.Dense(3)(layers.Flatten()(x))))
    data = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), np.uint8)
    tflite, _ = convert(model, "int8", io, source_of(model, data), 40, 0)
    assert [one.dtype for one in tflite.main.input_tensors] == [io]
    assert "pixels" in tflite.main.input_tensors[0].name
    (have,) = _outputs(tflite, ("pixels",), data)
    want = np.asarray(model(data))
    assert np.sqrt(np.mean((want - have) ** 2)) < 0.03 * want.std()


@pytest.mark.parametrize("io", ["int8", "float32"])
def test_what_is_chosen_from_an_output_is_chosen_in_integers(io):
    x = tf_keras.Input((6,), name="x")
    scores = layers.Dense(5, name="scores")(x)
    model = randomize(tf_keras.Model(x, [scores, layers.Lambda(lambda y: tf.argmax(y, -1))(scores)]))
    tflite, _ = _convert(model, io=io)
    choice = next(one for one in tflite.main.operators if one.opcode == "ARG_MAX")
    assert tflite.main.tensors[choice.inputs[0]].dtype == "int8"
    data = np.random.default_rng(0).normal(size=(20, 6)).astype("f4")
    have = sorted(_outputs(tflite, ("x",), data), key=np.ndim)
    assert np.array_equal(np.argmax(have[1], -1), have[0])
