import numpy as np
import pytest
import tf_keras

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
    assert not {"BatchNormalization", "Dropout", "SeparableConv2D"} & set(_classes(folded))
    assert not findings
    _check_same(model, folded)
    for one, other in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(one, other)


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
