import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import (
    CustomLayerError,
    DataError,
    ModelFileError,
    UnsafeModelError,
    UnsupportedModelError,
    UsageError,
)
from edgesqueeze.squeeze.opening.load import adopt_model, load_model, predict

L, T = keras.layers, tf_keras.layers


def small(library):
    i = library.Input((4,), name="i")
    return library.Model(i, library.layers.Dense(2, name="o")(i), name="small")


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "m.keras"
    small(keras).save(path)
    return path


def edited(source, target, change):
    """A .keras file with another configuration."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)
    return target


@pytest.mark.parametrize(
    ("library", "suffix", "family", "source"),
    [
        (keras, ".keras", "keras3", "Keras 3 .keras"),
        (keras, ".h5", "keras3", "Keras 3 .h5"),
        (tf_keras, ".keras", "tf_keras", "tf_keras .keras"),
        (tf_keras, ".h5", "tf_keras", "tf_keras .h5"),
        (tf_keras, "", "tf_keras", "tf_keras SavedModel"),
    ],
)
def test_every_format_opens(tmp_path, library, suffix, family, source):
    model = small(library)
    path = tmp_path / f"m{suffix}"
    model.save(path)
    loaded = load_model(path)
    assert (loaded.family, loaded.path) == (family, path)
    assert loaded.source.startswith(source)
    assert len(loaded.sha256) == 64
    assert loaded.bridge_error < 1e-5
    data = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
    (values,) = predict(loaded, {"i": data})
    np.testing.assert_allclose(values, np.asarray(loaded.model(data)), rtol=1e-5, atol=1e-6)


def test_predict_checks_its_data():
    loaded = adopt_model(small(keras))
    assert (loaded.path, loaded.sha256, loaded.source) == (None, "", "Keras 3 model object")
    with pytest.raises(DataError, match="do not fit"):
        predict(loaded, {"j": np.ones((1, 4))})
    with pytest.raises(DataError, match="length"):
        predict(loaded, {"i": np.ones((0, 4))})


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match="no file"):
        load_model(tmp_path / "none.keras")


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.98])
def test_cut_off_files(tmp_path, keras_file, keep):
    h5 = tmp_path / "m.h5"
    small(tf_keras).save(h5)
    for whole in (keras_file, h5):
        data = whole.read_bytes()
        short = tmp_path / ("short" + whole.suffix)
        short.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
        with pytest.raises(ModelFileError):
            load_model(short)


def test_a_damaged_part(tmp_path, keras_file):
    data = bytearray(keras_file.read_bytes())
    at = data.find(b"Dense")
    data[at] ^= 0xFF
    (tmp_path / "m.keras").write_bytes(data)
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(tmp_path / "m.keras")


def _torch_zip():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("m.keras", np.random.default_rng(1).bytes(500), "neither a ZIP nor an HDF5"),
        ("m.tflite", b"\x1c\0\0\0TFL3" + b"\0" * 50, "tflite"),
        ("m.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "PNG"),
        ("saved_model.pb", b"\x08\x01\x12\x10" + b"\0" * 50, "TensorFlow graph"),
        ("m.pt", _torch_zip(), "PyTorch"),
        ("m.onnx", b"\x08\x07\x12\x07pytorch" + b"\0" * 50, "ONNX"),
        ("m.h5", b"", "empty"),
    ],
)
def test_files_of_other_kinds(tmp_path, name, data, what):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelFileError, match=what) as caught:
        load_model(tmp_path / name)
    assert ".keras or .h5" in caught.value.expected


def test_an_h5_with_weights_only(tmp_path):
    path = tmp_path / "m.weights.h5"
    small(tf_keras).save_weights(path)
    with pytest.raises(ModelFileError, match="weights only"):
        load_model(path)


def test_weights_in_another_file(tmp_path, keras_file):
    path = tmp_path / "m.h5"
    small(tf_keras).save(path)
    with h5py.File(path, "a") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(UnsafeModelError, match="other files"):
        load_model(path)


def test_folders(tmp_path):
    with pytest.raises(ModelFileError, match="not a SavedModel"):
        load_model(tmp_path)


def test_a_saved_model_that_writes_files(tmp_path):
    class Leak(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
        def __call__(self, text):
            tf.io.write_file("/tmp/never", text)

    small(tf_keras).save(tmp_path / "good", save_format="tf")
    tf.saved_model.save(Leak(), str(tmp_path / "bad"))
    (tmp_path / "bad" / "keras_metadata.pb").write_bytes(
        (tmp_path / "good" / "keras_metadata.pb").read_bytes()
    )
    with pytest.raises(UnsafeModelError, match="WriteFile"):
        load_model(tmp_path / "bad")


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_layers_need_the_users_word(tmp_path, library, suffix):
    i = library.Input((4,), name="i")
    path = tmp_path / f"m{suffix}"
    library.Model(i, library.layers.Lambda(lambda x: x * 2.0 + 1.0, name="fn", output_shape=(4,))(i)).save(
        path
    )
    with pytest.raises(UnsafeModelError, match="'fn' is a Lambda"):
        load_model(path)
    loaded = load_model(path, unsafe=True)
    np.testing.assert_allclose(loaded.model(np.ones((1, 4), "float32")), np.full((1, 4), 3.0))


@pytest.mark.parametrize(
    "entry",
    [
        {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"},
        {"module": "builtins", "class_name": "eval", "config": {}, "registered_name": None},
        {"module": "keras.utils", "class_name": "get_file", "config": {}, "registered_name": None},
        {"module": "keras.src.utils.file_utils", "class_name": "function", "config": "get_file"},
        {"class_name": "__lambda__", "config": {"value": "4wEAAA=="}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "x"}, "registered_name": None},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {
            "module": "keras.layers",
            "class_name": "TFSMLayer",
            "config": {"filepath": "/x"},
            "registered_name": None,
        },
        {"class_name": "TFOpLambda", "config": {"name": "w", "function": "io.write_file"}},
        {"class_name": "TFOpLambda", "config": {"name": "w", "function": "py_function"}},
        {"class_name": "TFOpLambda", "config": {"name": "w", "function": "raw_ops.WriteFile"}},
        {"class_name": "TFOpLambda", "config": {"name": "w", "function": "compat.v1.write_file"}},
        {"class_name": "InstanceProperty", "config": {"name": "w", "attr_name": "__class__"}},
    ],
)
def test_entries_that_point_elsewhere(tmp_path, keras_file, entry):
    path = edited(
        keras_file,
        tmp_path / "m.keras",
        lambda config: config["config"]["layers"][1]["config"].update(kernel_initializer=entry),
    )
    with pytest.raises(UnsafeModelError):
        load_model(path)


def test_parts_that_would_land_elsewhere(tmp_path, keras_file):
    path = edited(keras_file, tmp_path / "m.keras", lambda config: None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../evil", b"x")
    with pytest.raises(UnsafeModelError, match="outside"):
        load_model(path)


class Mine(L.Layer):
    def call(self, inputs):
        return inputs + 1.0


class MineToo(T.Layer):
    def call(self, inputs):
        return inputs + 1.0


@pytest.mark.parametrize(("library", "cls"), [(keras, Mine), (tf_keras, MineToo)])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_custom_layers_are_named(tmp_path, library, cls, suffix):
    i = library.Input((4,), name="i")
    path = tmp_path / f"m{suffix}"
    library.Model(i, library.layers.Dense(2)(cls(name="special")(i))).save(path)
    with pytest.raises(CustomLayerError, match=rf"'special' of class {cls.__name__}") as caught:
        load_model(path)
    assert "--custom-objects" in caught.value.hint
    assert f":{cls.__name__}" in caught.value.hint
    assert load_model(path, custom_objects={cls.__name__: cls}).bridge_error < 1e-6


def test_a_custom_loss_does_not_matter(tmp_path):
    def my_loss(a, b):
        return keras.ops.mean(a - b)

    model = small(keras)
    model.compile(loss=my_loss)
    model.save(tmp_path / "m.keras")
    load_model(tmp_path / "m.keras")


def test_operators_of_tf_keras_are_no_stored_code(tmp_path):
    i = tf_keras.Input((4, 4), name="i")
    x = tf.nn.relu6(i[:, 1:] * 2.0) + tf.reduce_mean(i, axis=1, keepdims=True)
    for suffix in (".h5", ".keras"):
        tf_keras.Model(i, tf.concat([x, x], -1)).save(tmp_path / f"m{suffix}")
        load_model(tmp_path / f"m{suffix}")


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("library", [keras, tf_keras])
def test_layers_that_are_functions_of_tensorflow_inside_are_no_attack(tmp_path, library, suffix):
    i = library.Input((8, 8, 16), name="i")
    x = library.layers.Conv2D(16, 3, groups=4)(i)
    x = library.layers.Reshape((36, 16))(x)
    x = library.layers.Bidirectional(library.layers.LSTM(4, return_sequences=True))(x)
    model = library.Model(i, library.layers.GRU(4)(x))
    model.save(tmp_path / f"m{suffix}")
    data = np.random.default_rng(0).random((2, 8, 8, 16), np.float32)
    (values,) = predict(load_model(tmp_path / f"m{suffix}"), {"i": data})
    np.testing.assert_allclose(values, np.asarray(model(data)), atol=1e-5)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_weights_that_are_not_finite(library):
    model = small(library)
    kernel, bias = model.get_weights()
    kernel[0, 0] = np.nan
    model.set_weights([kernel, bias])
    with pytest.raises(UsageError, match="kernel"):
        adopt_model(model)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_shapes_that_are_not_fixed(library):
    i = library.Input((None, None, 3), name="photo")
    with pytest.raises(UnsupportedModelError, match=r"'photo'.*\(None, None, None, 3\)"):
        adopt_model(library.Model(i, library.layers.Conv2D(2, 3)(i)))
    j = library.Input(batch_size=8, shape=(4,), name="j")
    with pytest.raises(UnsupportedModelError, match="batch of 8"):
        adopt_model(library.Model(j, library.layers.Dense(2)(j)))
    one = library.Input(batch_size=1, shape=(4,), name="j")
    assert adopt_model(library.Model(one, library.layers.Dense(2)(one))).model.inputs[0].shape[0] == 1


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_models_without_a_graph(library):
    class Sub(library.Model):
        def __init__(self):
            super().__init__()
            self.dense = library.layers.Dense(2)

        def call(self, inputs):
            return self.dense(inputs)

    with pytest.raises(UnsupportedModelError, match=r"subclassed.*never called"):
        adopt_model(Sub())
    with pytest.raises(UnsupportedModelError, match="input shape"):
        adopt_model(library.Sequential([library.layers.Dense(2)]))


def test_a_subclassed_model_in_a_file(tmp_path):
    @keras.saving.register_keras_serializable("test")
    class Saved(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = L.Dense(2)

        def call(self, inputs):
            return self.dense(inputs)

    model = Saved()
    model(np.ones((1, 3), "float32"))
    model.save(tmp_path / "m.keras")
    with pytest.raises(CustomLayerError) as caught:
        load_model(tmp_path / "m.keras")
    assert "custom_objects={'Saved': ...}" in caught.value.hint
    loaded = load_model(tmp_path / "m.keras", custom_objects={"Saved": Saved})
    np.testing.assert_allclose(loaded.model(np.ones((2, 3))), model(np.ones((2, 3))), rtol=1e-6)


def test_one_error_names_all_that_is_needed(tmp_path):
    def own(x):
        return keras.ops.relu(x)

    class Own(L.Layer):
        def call(self, x):
            return x * 2

    i = keras.Input((3,))
    keras.Model(i, L.Dense(2, activation=own)(Own(name="mine")(i))).save(tmp_path / "m.keras")
    with pytest.raises(CustomLayerError, match=r"'mine' of class Own.*; it also needs own") as caught:
        load_model(tmp_path / "m.keras")
    assert "custom_objects={'Own': ..., 'own': ...}" in caught.value.hint
    load_model(tmp_path / "m.keras", custom_objects={"Own": Own, "own": own})


def test_text_and_other_objects():
    i = keras.Input((1,), dtype="string", name="words")
    with pytest.raises(UnsupportedModelError, match="text"):
        adopt_model(keras.Model(i, L.StringLookup(vocabulary=["a"])(i)))
    with pytest.raises(UsageError, match="not a Keras model"):
        adopt_model({"not": "a model"})
