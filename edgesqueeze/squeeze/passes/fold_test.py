import numpy as np
import pytest
import tf_keras

from edgesqueeze.squeeze.opening.op_layer import OpLayer
from edgesqueeze.squeeze.passes.fold import fold
from runtime_tests.support.tiny_keras import images, randomize, weights_of

layers = tf_keras.layers


def _chain(*steps):
    image = tf_keras.Input((8, 8, 3), name="image")
    x = image
    for step in steps:
        x = step(x)
    return randomize(tf_keras.Model(image, x, name="tiny"))


def _norm(**options):
    return layers.BatchNormalization(name="norm", **options)


def _layer_norm(**options):
    return layers.LayerNormalization(name="norm", **options)


def _vector(op="multiply", size=3, first=True):
    vector = np.linspace(0.5, 2, size, dtype=np.float32)
    args = [{"tensor": 0}, {"array": vector.tolist(), "dtype": "float32"}]
    made = OpLayer(op, args if first else args[::-1])
    return lambda x: made([x])


def _classes(model):
    return [type(layer).__name__ for layer in model.layers]


def _check_same(model, folded, data=None):
    data = images(8) if data is None else data
    before, after = np.asarray(model(data)), np.asarray(folded(data))
    assert before.std() > 0
    assert np.abs(before - after).max() <= 1e-5 * np.abs(before).max()


FOLDED = {
    "conv-bn": lambda: (layers.Conv2D(5, 3, strides=2, padding="same"), _norm()),
    "conv-without-bias-bn": lambda: (layers.Conv2D(5, 3, use_bias=False), _norm()),
    "conv-bn-relu": lambda: (layers.Conv2D(5, 3), _norm(), layers.ReLU()),
    "grouped-conv-bn": lambda: (layers.Conv2D(6, 3, groups=3), _norm()),
    "conv-unscaled-bn": lambda: (layers.Conv2D(5, 3), _norm(scale=False)),
    "conv-uncentered-bn": lambda: (layers.Conv2D(5, 3), _norm(center=False)),
    "depthwise-bn": lambda: (layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), _norm()),
    "transpose-conv-bn": lambda: (layers.Conv2DTranspose(5, 3, strides=2, padding="same"), _norm()),
    "dense-bn": lambda: (layers.Flatten(), layers.Dense(6), _norm()),
    "dense-of-images-bn": lambda: (layers.Dense(6), _norm()),
    "conv1d-bn": lambda: (layers.Reshape((16, 12)), layers.Conv1D(5, 3), _norm()),
    "depthwise1d-bn": lambda: (
        layers.Reshape((16, 12)),
        layers.DepthwiseConv1D(3, strides=2, depth_multiplier=2),
        _norm(),
    ),
    "transpose-conv1d-bn": lambda: (
        layers.Reshape((16, 12)),
        layers.Conv1DTranspose(5, 3, strides=2, padding="same"),
        _norm(),
    ),
    "separable1d-bn": lambda: (
        layers.Reshape((16, 12)),
        layers.SeparableConv1D(5, 3, strides=2, padding="same", depth_multiplier=2),
        _norm(),
    ),
    "causal-separable1d-relu": lambda: (
        layers.Reshape((16, 12)),
        layers.SeparableConv1D(5, 3, padding="causal", dilation_rate=2, activation="relu"),
    ),
    "bn-valid-depthwise1d": lambda: (layers.Reshape((16, 12)), _norm(), layers.DepthwiseConv1D(3)),
    "separable-bn": lambda: (layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2), _norm()),
    "separable-relu": lambda: (layers.SeparableConv2D(5, 3, strides=2, activation="relu"),),
    "conv-dropout-bn": lambda: (layers.Conv2D(5, 3), layers.Dropout(0.3), _norm()),
    "bn-valid-conv": lambda: (_norm(), layers.Conv2D(5, 3)),
    "bn-valid-conv-relu": lambda: (_norm(), layers.Conv2D(5, 3, activation="relu")),
    "bn-pointwise-conv": lambda: (_norm(), layers.Conv2D(5, 1, padding="same")),
    "bn-valid-depthwise": lambda: (_norm(), layers.DepthwiseConv2D(3, depth_multiplier=2)),
    "bn-valid-conv1d": lambda: (layers.Reshape((16, 12)), _norm(), layers.Conv1D(5, 3, use_bias=False)),
    "bn-dense": lambda: (layers.Flatten(), _norm(), layers.Dense(6)),
    "bn-dense-of-images": lambda: (_norm(), layers.Dense(6)),
    "bn-separable": lambda: (_norm(), layers.SeparableConv2D(5, 3)),
    "bn-conv-bn": lambda: (
        _norm(),
        layers.Conv2D(5, 3),
        layers.BatchNormalization(name="second"),
    ),
}


@pytest.mark.parametrize("name", FOLDED)
def test_folding_changes_nothing_that_is_computed(name):
    model = _chain(*FOLDED[name]())
    before = weights_of(model)
    folded, findings = fold(model)
    assert not {"BatchNormalization", "Dropout", "SeparableConv1D", "SeparableConv2D"} & set(_classes(folded))
    assert not findings
    _check_same(model, folded)
    for one, other in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(one, other)


def _attends(image):
    """Two sequences of six channels that an attention reads."""
    x = layers.Reshape((16, 12))(image)
    return layers.Dense(6)(x), layers.Dense(6)(x)


def _pre_norm(image):
    x, _ = _attends(image)
    y = _layer_norm()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3, name="attention")(y, y)])
    y = layers.LayerNormalization(name="second")(x)
    return layers.Add()([x, layers.Dense(6, name="out")(layers.Dense(9, activation="gelu", name="in")(y))])


def _crossed(image):
    x, y = _attends(image)
    x, y = _layer_norm()(x), layers.LayerNormalization(name="second")(y)
    return layers.MultiHeadAttention(2, 3, value_dim=4, use_bias=False, name="attention")(x, y, key=x)


TAKEN = {
    "layer norm before dense": (lambda image: layers.Dense(6)(_layer_norm()(image)), []),
    "layer norm without scale": (lambda image: layers.Dense(6)(_layer_norm(scale=False)(image)), []),
    "layer norm before two": (
        lambda image: (lambda x: layers.Add()([layers.Dense(6)(x), layers.Conv2D(6, 1)(x)]))(
            _layer_norm()(image)
        ),
        [],
    ),
    "before attention": (_pre_norm, []),
    "one of two inputs of an attention": (_crossed, []),
    "vector before dense": (lambda image: layers.Dense(6)(_vector()(image)), []),
    "two vectors": (lambda image: layers.Dense(6)(_vector("subtract")(_vector()(image))), []),
    "vector minus": (lambda image: layers.Dense(6)(_vector("subtract", first=False)(image)), []),
    "quotient": (lambda image: layers.Conv2D(6, 2)(_vector("divide")(image)), []),
    "vector behind": (lambda image: layers.ReLU()(_vector("multiply", 6)(layers.Dense(6)(image))), []),
    "layer norm and vector": (lambda image: layers.Dense(6)(_vector("add")(_layer_norm()(image))), []),
    "rescaling": (lambda image: layers.Dense(6)(layers.Rescaling([1.0, 2.0, 3.0], 0.5)(image)), []),
    "batch norm before two": (
        lambda image: (lambda x: layers.Add()([layers.Dense(6)(x), layers.Dense(6)(x)]))(_norm()(image)),
        [],
    ),
    "layer norm that a sum needs": (
        lambda image: (lambda x: layers.Add()([layers.Dense(3)(x), x]))(_layer_norm()(image)),
        ["BatchNormalization"],
    ),
    "batch norm that a sum needs": (
        lambda image: (lambda x: layers.Add()([layers.Dense(3)(x), x]))(_norm()(image)),
        ["BatchNormalization"],
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_a_converter_would_put_into_kernels_is_there_before(name):
    make, stay = TAKEN[name]
    image = tf_keras.Input((8, 8, 3), name="image")
    model = randomize(tf_keras.Model(image, make(image)))
    folded, _ = fold(model, lifts=False)
    kept = [layer for layer in folded.layers if type(layer).__name__ in MULTIPLIERS]
    assert [type(layer).__name__ for layer in kept] == stay
    for layer in folded.layers:
        if type(layer) is layers.LayerNormalization:
            assert not layer.get_weights()
        if type(layer) is layers.Dense and kept:
            assert layer._inbound_nodes[0].inbound_layers is not kept[0]
    _check_same(model, folded)


MULTIPLIERS = ("BatchNormalization", "OpLayer", "Rescaling")


@pytest.mark.parametrize("op", ["add", "multiply", "divide", "subtract"])
def test_what_is_no_vector_for_one_tensor_stays(op):
    image = tf_keras.Input((8, 8, 3), name="image")
    two = OpLayer(op, [{"tensor": 0}, {"tensor": 1}])([layers.Dense(3)(image), image])
    number = OpLayer(op, [2.0, {"tensor": 0}])([two])
    places = np.linspace(0.5, 1, 8, dtype=np.float32).reshape(8, 1)
    rows = OpLayer(op, [{"tensor": 0}, {"array": places.tolist(), "dtype": "float32"}])([number])
    model = randomize(tf_keras.Model(image, layers.Dense(2)(rows)))
    folded, _ = fold(model)
    assert _classes(folded).count("OpLayer") == 3
    data = np.abs(images(4)) + 1
    np.testing.assert_allclose(folded(data), model(data), rtol=1e-5)


def test_a_rescaling_of_the_inputs_may_stay():
    image = tf_keras.Input((8, 8, 3), name="image")
    model = tf_keras.Model(image, layers.Dense(6)(layers.Rescaling([1.0, 2.0, 3.0])(image)))
    assert "Rescaling" in _classes(fold(model)[0])


def test_what_a_sum_needs_is_no_batch_norm_of_the_users():
    image = tf_keras.Input((8, 8, 3), name="image")
    x = _layer_norm()(image)
    model = randomize(tf_keras.Model(image, layers.Add()([layers.Dense(3)(x), x])))
    assert fold(model)[1] == ()


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_separable_convolution_is_split_as_tflite_runs_it(dilation):
    model = _chain(layers.SeparableConv2D(5, 3, dilation_rate=dilation, use_bias=False, name="sep"))
    folded, _ = fold(model)
    assert [layer.name for layer in folded.layers[1:3]] == ["sep_depthwise", "sep_pointwise"]
    assert folded.output_names == ["sep"]
    _check_same(model, folded)


def _after_relu():
    return _chain(layers.Conv2D(5, 3), layers.ReLU(), _norm())


def _after_activation():
    return _chain(layers.Conv2D(5, 3, activation="relu"), _norm(), layers.ReLU())


def _before_padded_conv():
    return _chain(layers.ReLU(), _norm(), layers.Conv2D(5, 3, padding="same"))


def _before_transpose():
    return _chain(layers.ReLU(), _norm(), layers.Conv2DTranspose(5, 3))


def _before_groups():
    return _chain(layers.ReLU(), _norm(), layers.Conv2D(6, 3, groups=3))


def _other_axis():
    return _chain(layers.Conv2D(5, 3), layers.BatchNormalization(axis=1, name="norm"))


def _used_twice():
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(5, 3)(image)
    return randomize(tf_keras.Model(image, layers.Add()([_norm()(x), layers.ReLU()(x)])))


def _also_an_output():
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(5, 3)(image)
    return randomize(tf_keras.Model(image, [_norm()(x), x]))


def _shared_conv():
    image = tf_keras.Input((8, 8, 3), name="image")
    conv = layers.Conv2D(3, 3, padding="same")
    x = _norm()(conv(image))
    return randomize(tf_keras.Model(image, conv(layers.ReLU()(x))))


def _shared_norm():
    image = tf_keras.Input((8, 8, 3), name="image")
    norm = _norm()
    x = norm(layers.Conv2D(5, 3)(image))
    y = norm(layers.Conv2D(5, 3)(image))
    return randomize(tf_keras.Model(image, layers.Add()([x, y])))


@pytest.mark.parametrize(
    "make",
    [
        _after_relu,
        _after_activation,
        _before_padded_conv,
        _before_transpose,
        _before_groups,
        _other_axis,
        _used_twice,
        _also_an_output,
        _shared_conv,
        _shared_norm,
    ],
)
def test_a_batch_norm_that_cannot_be_folded_stays_with_a_reason(make):
    model = make()
    folded, findings = fold(model)
    assert _classes(folded).count("BatchNormalization") == 1
    assert [(one.code, one.subject) for one in findings] == [("batch-norm-kept", "norm")]
    assert len(findings[0].message) > 20
    data = images(4)
    for one, other in zip(_flat(model(data)), _flat(folded(data)), strict=True):
        assert np.abs(one - other).max() <= 1e-5 * np.abs(one).max()


def _flat(outputs):
    return [np.asarray(one) for one in (outputs if isinstance(outputs, list) else [outputs])]


def test_a_batch_norm_after_an_output_conv_keeps_the_output_name():
    model = _chain(layers.Conv2D(5, 3, name="conv"), _norm())
    assert fold(model)[0].output_names == ["norm"]


def test_channels_of_many_magnitudes_fold_exactly():
    model = _chain(layers.Conv2D(5, 3, name="conv"), _norm())
    rng = np.random.default_rng(3)
    model.get_layer("norm").set_weights(
        [np.exp(rng.uniform(-12, 12, 5)), *rng.normal(size=(2, 5)), np.exp(rng.uniform(-12, 12, 5))]
    )
    _check_same(model, fold(model)[0])
