import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.opening.load import adopt_model, load_model, predict
from edgesqueeze.squeeze.opening.subclassed import as_functional

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


class Net(keras.Model):
    """One input; a TensorFlow operator between its layers."""

    def __init__(self, units=3, **options):
        super().__init__(**options)
        self.units = units
        self.first, self.last = keras.layers.Dense(8), keras.layers.Dense(units)

    def call(self, x, training=None):
        return self.last(tf.nn.relu(self.first(x)) * (2.0 if training else 1.0))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Tokens(keras.Model):
    """Two inputs, of which one is whole numbers."""

    def __init__(self):
        super().__init__()
        self.table, self.last = keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.Dense(2)

    def call(self, inputs):
        tokens, more = inputs["tokens"], inputs["more"]
        return {"y": self.last(keras.ops.mean(self.table(tokens), 1)) + more, "z": more * 2}


class TfNet(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.last = tf_keras.layers.Dense(2)

    def call(self, inputs, training=False):
        if tf.reduce_sum(inputs["a"]) > 1e9:  # what autograph rewrites
            return self.last(inputs["a"]) * 0.0
        return self.last(inputs["a"]) + inputs["b"]


def test_a_subclassed_model_in_python():
    model = Net(name="net")
    wanted = model(X)
    loaded = adopt_model(model)
    assert loaded.source == "Keras 3 model object"
    (name,) = loaded.model.input_names
    np.testing.assert_allclose(predict(loaded, {name: X})[0], wanted, rtol=1e-5, atol=1e-6)
    assert [finding.code for finding in loaded.findings] == ["kept-whole", "no-keras-file"]
    assert loaded.model.count_params() == model.count_params()


def test_a_subclassed_file_with_its_class(tmp_path):
    model = Net(name="net")
    wanted = model(X)
    model.save(tmp_path / "m.keras")
    loaded = load_model(tmp_path / "m.keras", custom_objects={"Net": Net})
    (name,) = loaded.model.input_names
    np.testing.assert_allclose(predict(loaded, {name: X})[0], wanted, rtol=1e-5, atol=1e-6)


def test_whole_numbers_are_found_by_what_the_model_makes_of_them():
    model = Tokens()
    tokens = np.arange(40).reshape(8, 5) % 9
    wanted = model({"tokens": tokens, "more": X[:, :2]})
    loaded = adopt_model(model)
    kinds = {symbol.name: symbol.dtype.name for symbol in loaded.model.inputs}
    assert kinds == {"tokens_input": "int32", "more": "float32"}
    found = predict(loaded, {"tokens_input": tokens.astype("int32"), "more": X[:, :2]})
    for values, name in zip(found, ("y", "z"), strict=True):
        np.testing.assert_allclose(values, wanted[name], rtol=1e-5, atol=1e-6)


def test_a_subclassed_tf_keras_model():
    model = TfNet()
    wanted = model({"a": X, "b": X[:, :2]})
    loaded = adopt_model(model)
    assert loaded.model.input_names == ["a", "b"]
    found = predict(loaded, {"a": X, "b": X[:, :2]})
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras3", "tf_keras"])
def test_a_subclassed_block_among_layers(library):
    class Block(library.Model):
        def __init__(self):
            super().__init__()
            self.dense = library.layers.Dense(4)

        def call(self, x):
            return x + self.dense(x)

    i = library.Input((4,))
    inner = library.Sequential([library.layers.Dense(4), Block()])
    model = library.Model(i, library.layers.Dense(2, name="last")(inner(i)))
    loaded = adopt_model(model)
    names = [layer.name for layer in loaded.model.layers if hasattr(layer, "kernel")]
    assert "last" in names and len(names) == 2, "the layers outside the block are seen"
    found = predict(loaded, {loaded.model.input_names[0]: X})
    np.testing.assert_allclose(found[0], np.asarray(model(X)), rtol=1e-5, atol=1e-6)


def test_several_arguments_are_declared_by_the_user():
    class Sum(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, a, b):
            return self.dense(a) + b

    model = Sum()
    wanted = model(X, X[:, :2])
    with pytest.raises(UnsupportedModelError, match="missing a required argument: 'b'") as caught:
        adopt_model(model)
    assert "keras.Input for each argument" in caught.value.hint
    inputs = [keras.Input((4,), name="a"), keras.Input((2,), name="b")]
    loaded = adopt_model(keras.Model(inputs, model(*inputs)))
    np.testing.assert_allclose(predict(loaded, {"a": X, "b": X[:, :2]})[0], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [Net, TfNet])
def test_a_model_that_was_never_called(make):
    with pytest.raises(UnsupportedModelError, match="was never called") as caught:
        adopt_model(make())
    assert "call it once" in caught.value.hint


def test_a_model_that_symbols_cannot_go_through():
    class Eager(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x) * float(np.asarray(x).sum())

    model = Eager()
    model(X)
    with pytest.raises(UnsupportedModelError, match=r"cannot be called on keras\.Input"):
        as_functional(model)
