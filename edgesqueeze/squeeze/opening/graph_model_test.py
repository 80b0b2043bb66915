import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

from edgesqueeze.errors import ModelFileError, UnsafeModelError, UnsupportedModelError
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.opening.graph_file import check_graph, read_function
from edgesqueeze.squeeze.opening.load import load_model, predict

X = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(np.arange(12, dtype="float32").reshape(4, 3))
        self.bias = tf.constant([1.0, 2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])
    def run(self, x):
        return {"scores": tf.nn.softmax(x @ self.weight + self.bias)}

    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32, name="x")])
    def one(self, x):
        return x @ self.weight

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.float32, name="x")])
    def open(self, x):
        return tf.reduce_mean(x, axis=-1, keepdims=True)

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])
    def whole(self, x):
        return tf.reduce_sum(x)

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)] * 2)
    def many(self, second, first):
        return {f"out_{i}": first * float(i) + second for i in (10, 2, 1)}


@pytest.fixture(scope="module")
def module():
    return Module()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What Keras 3's ``model.export`` writes, and the model."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    image = keras.Input((4,), name="image")
    x = keras.layers.LayerNormalization()(keras.layers.Dense(8)(image))
    model = keras.Model(image, [keras.layers.Dense(2, name="a")(x), keras.layers.Dense(1, name="b")(x)])
    model.export(folder, verbose=False)
    return folder, model


def saved(tmp_path, module, **signatures):
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=signatures)
    return tmp_path / "m"


def test_an_exported_model_computes_what_it_did(exported):
    folder, model = exported
    loaded = load_model(folder)
    assert (loaded.source, loaded.path, len(loaded.sha256)) == ("SavedModel without Keras layers", folder, 64)
    assert loaded.model.output_names == ["output_0", "output_1"]
    assert loaded.model.count_params() == model.count_params()
    (name,) = loaded.model.input_names
    for found, wanted in zip(predict(loaded, {name: X}), model.predict(X, verbose=0), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert [finding.code for finding in loaded.findings] == ["kept-whole", "no-keras-file"]
    assert "'serving_default' is quantized as it is, not 'serve'" in loaded.findings[0].message
    copy = rewrite(loaded.model)
    np.testing.assert_array_equal(copy(X)[0], loaded.model(X)[0])


def test_a_module_with_variables_and_constants(tmp_path, module):
    loaded = load_model(saved(tmp_path, module, only=module.run))
    assert (loaded.model.input_names, loaded.model.output_names) == (["x"], ["scores"])
    wanted = module.run(X)["scores"]
    np.testing.assert_allclose(predict(loaded, {"x": X})[0], wanted, rtol=1e-5, atol=1e-6)


def test_a_batch_of_one(tmp_path, module):
    loaded = load_model(saved(tmp_path, module, serving_default=module.one, other=module.run))
    assert loaded.model.inputs[0].shape == (1, 4)
    (found,) = predict(loaded, {"x": X[:3]})
    np.testing.assert_allclose(found, X[:3] @ module.weight.numpy(), rtol=1e-5)


def test_several_inputs_and_outputs_keep_their_names(tmp_path, module):
    loaded = load_model(saved(tmp_path, module, serving_default=module.many))
    assert sorted(loaded.model.input_names) == ["first", "second"]
    assert loaded.model.output_names == ["out_1", "out_2", "out_10"]
    found = predict(loaded, {"first": X, "second": X * 2})
    for values, factor in zip(found, (1, 2, 10), strict=True):
        np.testing.assert_allclose(values, X * factor + X * 2, rtol=1e-5, atol=1e-6)


def test_a_subclassed_tf_keras_model_in_a_folder(tmp_path):
    class Own(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf_keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Own()
    wanted = model(X)
    model.save(tmp_path / "m", save_format="tf")
    loaded = load_model(tmp_path / "m")
    (name,) = loaded.model.input_names
    np.testing.assert_allclose(predict(loaded, {name: X})[0], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("signatures", "message"),
    [
        ({"one": "one", "other": "run"}, "has 2 signatures, and none is called serving_default"),
        ({"only": "open"}, "has a size that is not fixed"),
        ({"only": "whole"}, "does not have one row a sample"),
        ({}, "has no signature"),
    ],
)
def test_what_cannot_be_taken(tmp_path, module, signatures, message):
    path = saved(tmp_path, module, **{key: getattr(module, name) for key, name in signatures.items()})
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        load_model(path)
    assert caught.value.hint


def test_a_table_is_refused_by_name(tmp_path, module):
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [2.0]), 0.0)
    looks_up = tf.function(lambda x: module.table.lookup(tf.cast(x, tf.int32)))
    signature = looks_up.get_concrete_function(tf.TensorSpec((None, 4), tf.float32))
    with pytest.raises(UnsafeModelError, match="LookupTableFindV2"):
        load_model(saved(tmp_path, module, only=signature))


def test_a_folder_of_tensorflow_1(tmp_path):
    builder = tf.compat.v1.saved_model.Builder(str(tmp_path / "m"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None, 4))
        signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": x * 2.0})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
    builder.save()
    with pytest.raises(UnsupportedModelError, match="TensorFlow 1 wrote it"):
        load_model(tmp_path / "m")


def test_what_goes_over_has_no_notes_on_the_side(tmp_path, module):
    """Devices, sessions' settings and other signatures stay behind."""
    path = saved(tmp_path, module, serving_default=module.run, other=module.one)
    proto = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    library = proto.meta_graphs[0].graph_def.library.function
    for node in (*proto.meta_graphs[0].graph_def.node, *(n for one in library for n in one.node_def)):
        node.device = "/job:evil/device:CPU:0"
    (path / "saved_model.pb").write_bytes(proto.SerializeToString())
    graph = graph_pb2.GraphDef.FromString(read_function(path, 1 << 20).graph)
    assert b"evil" not in graph.SerializeToString()
    assert {one.signature.name for one in graph.library.function} == {"f0", "f1"}
    calls = [node for node in graph.node if node.op.endswith("PartitionedCall")]
    assert [set(node.attr) for node in calls] == [{"Tin", "Tout", "f"}]


@pytest.mark.parametrize("cut", [0, 100, 0.5])
def test_damaged_folders(tmp_path, module, cut):
    path = saved(tmp_path, module, only=module.run)
    data = (path / "saved_model.pb").read_bytes()
    (path / "saved_model.pb").write_bytes(data[: int(cut * len(data)) if isinstance(cut, float) else cut])
    with pytest.raises((ModelFileError, UnsupportedModelError)):
        load_model(path)


def graph_with(op="Relu", function="f0", device="", note="T", called="f0"):
    graph = graph_pb2.GraphDef()
    one = graph.library.function.add()
    one.signature.name = function
    node = one.node_def.add(name="n", op=op, device=device)
    node.attr[note].type = tf.float32.as_datatype_enum
    node.attr["f"].func.name = called
    return graph


def test_a_clean_graph_passes():
    check_graph(graph_with(), "m")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"op": "WriteFile"}, UnsafeModelError),
        ({"op": "WriteFile", "function": "WriteFile"}, ModelFileError),
        ({"op": "AssignVariableOp"}, UnsupportedModelError),
        ({"op": "RestoreV2"}, UnsupportedModelError),
        ({"device": "/job:other"}, ModelFileError),
        ({"note": "_gradient_op_type"}, ModelFileError),
        ({"called": "somewhere_else"}, ModelFileError),
    ],
)
def test_what_a_clean_graph_may_not_have(changed, error):
    with pytest.raises(error):
        check_graph(graph_with(**changed), "m")
