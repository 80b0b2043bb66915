import subprocess
import sys

import keras
import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.opening.load import adopt_model, load_model
from edgesqueeze.squeeze.opening.save import save_model

L, T = keras.layers, tf_keras.layers

OPEN = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, {library} as library
model = library.models.load_model(sys.argv[1])
print(model.name, np.asarray(model(np.ones((1, 8, 8, 3), "float32"))).ravel().tolist())
assert not any(name.startswith("edgesqueeze") for name in sys.modules)
"""


def _keras_model():
    i = keras.Input((8, 8, 3), name="img")
    x = L.Conv2D(4, 3, use_bias=False, activation="hard_silu")(L.RandomFlip()(i))
    x = L.SeparableConv2D(4, 3, name="sep")(x)
    x = L.BatchNormalization(name="bn")(x) * np.linspace(0, 1, 64, dtype="float32").reshape(4, 4, 4)
    return keras.Model(i, L.Dense(3, name="out")(keras.ops.sum(x[:, 1:], axis=(1, 2))), name="mine")


def _tf_keras_model():
    i = tf_keras.Input((8, 8, 3), name="img")
    x = T.SeparableConv2D(4, 3, name="sep")(i)
    x = T.BatchNormalization(name="bn")(x) * 2.0
    return tf_keras.Model(i, T.Dense(3, name="out")(T.Flatten()(x[:, 1:])), name="mine")


def _split(layer):
    """What later passes do: fold batch norm away and split separable convolutions."""
    if isinstance(layer, T.BatchNormalization):
        return []
    if not isinstance(layer, T.SeparableConv2D):
        return None
    depthwise, pointwise, bias = layer.get_weights()
    return [
        T.DepthwiseConv2D(3, use_bias=False, name="sep_depthwise", weights=[depthwise]),
        T.Conv2D(4, 1, name="sep", weights=[pointwise, bias + 0.5]),
    ]


@pytest.mark.parametrize(("library", "make"), [("keras", _keras_model), ("tf_keras", _tf_keras_model)])
def test_a_changed_model_opens_in_its_own_library_without_edgesqueeze(tmp_path, library, make):
    loaded = adopt_model(make())
    changed = rewrite(loaded.model, _split)
    path = tmp_path / "model.partial"  # the caller renames it
    save_model(changed, loaded.family, path)
    named = tmp_path / "model.keras"
    path.rename(named)
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]
    run = subprocess.run(
        [sys.executable, "-c", OPEN.format(library=library), str(named)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    name, values = run.stdout.strip().split(" ", 1)
    assert name == "mine"
    expected = np.asarray(changed(np.ones((1, 8, 8, 3), "float32"))).ravel()
    np.testing.assert_allclose(np.array(values.strip("[]").split(","), float), expected, rtol=1e-4, atol=1e-5)
    again = load_model(named)
    assert again.family == loaded.family


class Own(L.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), initializer="random_normal")

    def call(self, inputs):
        return inputs * self.w * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_a_custom_layer_comes_back(tmp_path):
    i = keras.Input((3,), name="i")
    path = tmp_path / "m.keras"
    keras.Model(i, L.Dense(2)(Own(2.0, name="own")(i))).save(path)
    loaded = load_model(path, custom_objects={"Own": Own})
    save_model(loaded.model, "keras3", tmp_path / "back.keras", {"Own": Own})
    back = load_model(tmp_path / "back.keras", custom_objects={"Own": Own})
    assert back.original.get_layer("own").factor == 2.0
    np.testing.assert_array_equal(back.original.get_layer("own").w, loaded.original.get_layer("own").w)


def doubled(x):
    return 2.0 * x


def test_somebodys_own_function_comes_back_beside_layers_without_common_settings(tmp_path):
    i = keras.Input((5, 3), name="i")
    path = tmp_path / "m.keras"
    # Keras's own SpatialDropout1D does not take all settings that other layers have.
    keras.Model(i, L.Dense(2, activation=doubled, name="own")(L.SpatialDropout1D(0.1, name="drop")(i))).save(
        path
    )
    loaded = load_model(path, custom_objects={"doubled": doubled})
    save_model(loaded.model, "keras3", tmp_path / "back.keras", {"doubled": doubled})
    back = load_model(tmp_path / "back.keras", custom_objects={"doubled": doubled}).original
    assert back.get_layer("own").activation is doubled
    assert type(back.get_layer("drop")) is L.SpatialDropout1D
    values = np.ones((1, 5, 3), "float32")
    np.testing.assert_allclose(back(values), loaded.original(values), rtol=1e-6)


def test_an_unknown_family_is_refused(tmp_path):
    with pytest.raises(UnsupportedModelError, match="torch"):
        save_model(adopt_model(_tf_keras_model()).model, "torch", tmp_path / "m.keras")
