"""What is trained is what is stored: the trained graph and the .tflite give the same integers."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.graph.ranges import stored_range
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples
from edgesqueeze.squeeze.passes import aware
from runtime_tests.support.tiny_keras import dense, images, passed, randomize

layers = tf_keras.layers
BROKEN = {
    "bits-missed",
    "clusters-missed",
    "kernel-not-found",
    "range-missed",
    "settled-moved",
    "sparsity-missed",
}
X = images(100, seed=4)


def joined():
    """Convolutions, pooling of both kinds, a sum, a concatenation and padding, with ReLU6."""
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.ReLU(6.0)(layers.Conv2D(8, 3, padding="same", name="first")(image))
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    total = layers.Add(name="sum")([x, y])
    z = layers.Conv2D(8, 1, name="point")(total)
    both = layers.Concatenate()([layers.MaxPooling2D()(total), layers.AveragePooling2D(name="mean")(z)])
    x = layers.Conv2D(8, 3, strides=2, name="last")(layers.ZeroPadding2D(1)(both))
    x = layers.GlobalAveragePooling2D()(x)
    return tf_keras.Model(image, layers.Dense(4, activation="softmax", name="classes")(x))


def residual():
    """Inverted residuals with ReLU6 and batch norms, a dense layer and outputs that are values."""
    image = tf_keras.Input((8, 8, 3), name="image")

    def normed(layer, x):
        return layers.BatchNormalization()(layer(x))

    x = layers.ReLU(6.0)(normed(layers.Conv2D(8, 3, padding="same", use_bias=False), image))
    for _ in range(2):
        y = layers.ReLU(6.0)(normed(layers.DepthwiseConv2D(3, padding="same", use_bias=False), x))
        x = layers.Add()([x, normed(layers.Conv2D(8, 1), y)])
    x = layers.Flatten()(layers.AveragePooling2D()(x))
    x = layers.Dense(16, activation="relu", name="hidden")(x)
    return tf_keras.Model(image, layers.Dense(5, name="values")(x))


def parted():
    """A layer that gives several tensors, outputs that others read as well, and biases that are zero."""
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(6, 3, name="first")(layers.Conv2D(6, 3, name="before")(image))
    left, right = layers.Lambda(lambda x: tf.split(x, 2, axis=-1), name="split")(x)
    x = layers.Flatten()(layers.Multiply(name="product")([left, layers.Activation("sigmoid")(right)]))
    scores = layers.Dense(4, name="scores")(x)
    return tf_keras.Model(image, [scores, layers.Dense(2, name="last")(scores), image])


NETS = {"joined": joined, "residual": residual}


def moved(student, steps, **how):
    """In place of training: everything that can be trained is moved a little."""
    rng = np.random.default_rng(5)
    for variable in student.trainable_variables:
        size = 0.1 if "change" in variable.name else 0.05 * float(np.abs(variable.numpy()).mean())
        variable.assign_add(size * rng.normal(size=variable.shape))


@pytest.fixture
def students(monkeypatch):
    """The students that are trained."""
    found, build = [], aware.quantized_model

    def kept(*given):
        found.append(build(*given))
        return found[-1]

    monkeypatch.setattr(aware, "quantized_model", kept)
    return found


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(
    "raw", [{}, {"prune": {"sparsity": 0.5}, "cluster": {"clusters": 8}}], ids=["alone", "clustered"]
)
def test_the_file_gives_the_integers_of_the_trained_graph(name, raw, students):
    made = passed(randomize(NETS[name](), seed=3), {**raw, "aware": {}}, train=moved)
    assert not {one.code for one in made.findings} & (BROKEN | {"aware-skipped"})
    (output,) = made.tflite.main.output_tensors
    steps = output.quantization
    wanted = np.rint(students[0](X).numpy() / steps.scale) + steps.zero_point
    rows = litert.run(made.tflite, data_samples(made.tflite, EvalData((X,))))
    found = np.concatenate([row[0] for row in rows])
    apart = np.abs(found - np.clip(wanted, -128, 127))
    assert found.std() > 10
    assert (apart <= 1).mean() >= 0.999


def test_four_bits_and_zeros_stay_and_ranges_travel_into_the_file():
    made = passed(
        randomize(joined(), seed=3),
        {"prune": {"sparsity": 0.5}, "bits": {"weights": 4}, "aware": {}},
        train=moved,
    )
    assert not {one.code for one in made.findings} & (BROKEN | {"aware-skipped"})
    kernels = [one for one in made.tflite.main.tensors if one.dtype == "int4"]
    assert len(kernels) == 5


def test_layers_of_several_tensors_and_outputs_that_are_read_are_trained_as_rounded():
    made = passed(parted(), {"aware": {}}, train=moved)
    assert not {one.code for one in made.findings} & BROKEN
    assert made.model.output_names == ["scores", "last", "image"]
    assert len(made.tflite.main.output_tensors) == 3


@pytest.mark.parametrize("raw", [{"aware": {}}, {"quantize": {"calibration": "mse"}, "bias": {}}], ids=str)
def test_a_bias_that_was_zero_changes_no_names(raw):
    """Without a bias the converter would name what a convolution gives otherwise than with one."""
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.ELU()(layers.Conv2D(4, 3, name="first")(image))
    model = tf_keras.Model(image, layers.Dense(3, name="last")(layers.Flatten()(x)))
    made = passed(model, raw, train=moved)
    assert made.tflite.main.operators
    assert not {one.code for one in made.findings} & BROKEN


def test_ranges_that_are_not_learned_are_those_of_calibration():
    raw = {"aware": {"learn_ranges": False}}
    plain = passed(randomize(dense(), seed=3), {})
    made = passed(randomize(dense(), seed=3), raw, train=moved)
    name = plain.tflite.main.input_tensors[0].name
    np.testing.assert_allclose(stored_range(made.tflite, name), stored_range(plain.tflite, name), rtol=1e-3)


def test_layers_that_compute_in_steps_are_named_and_the_rest_is_trained():
    model = tf_keras.Sequential(
        [
            tf_keras.Input((6, 5), name="samples"),
            layers.Dense(6, activation="relu", name="first"),
            layers.GRU(4, name="steps"),
            layers.Dense(3, name="last"),
        ]
    )
    flat = tf_keras.Model(model.inputs, model.outputs)
    made = passed(randomize(flat, seed=1), {"aware": {}}, train=moved)
    assert [one.subject for one in made.findings if one.code == "aware-skipped"] == ["steps"]
    assert not {one.code for one in made.findings} & BROKEN


def test_a_model_with_a_state_is_refused():
    samples = tf_keras.Input((1, 3), batch_size=1, name="samples")
    model = tf_keras.Model(samples, layers.Dense(2)(layers.LSTM(4, stateful=True)(samples)))
    with pytest.raises(RecipeError, match="state"):
        passed(randomize(model), {"aware": {}}, train=moved)
