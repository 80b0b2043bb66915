import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.errors import UnsupportedModelError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.shapes import has_open_inside, open_inputs, refuse_open, with_shapes
from edgesqueeze.latency.predict import predict
from edgesqueeze.runners import host_c, litert, tflm
from edgesqueeze.runners.resize import parse_shapes, resize, resized
from edgesqueeze.runners.samples import random_samples
from edgesqueeze.target.load import load_target
from edgesqueeze.timing.bench import bench
from runtime_tests.support.graph_figures import total_macs
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_open


@pytest.fixture
def model():
    return parse_tflite(tiny_open(), "any-size")


def test_every_tensor_gets_the_shape_that_follows(model):
    fixed = resized(model, ["1,32,48,3"])
    (image,) = fixed.main.input_tensors
    assert (image.shape, image.signature) == ((1, 32, 48, 3), (1, 32, 48, 3))
    convolution = fixed.main.operators[0]
    assert fixed.main.tensors[convolution.outputs[0]].shape == (1, 16, 24, 4)
    # 3x3 kernels over 3 channels, 4 of them at 16x24 places; then 4 x 3 weights, and a mean.
    assert total_macs(fixed) - total_macs(model) == 9 * 3 * 4 * (16 * 24 - 1)
    assert not open_inputs(fixed)
    assert fixed.name == "any-size"


def test_generated_c_names_the_file_that_was_given():
    model = parse_tflite(tiny_cnn())
    fixed = with_shapes(model, [tensor.shape for tensor in model.main.tensors])
    assert fixed.sha256 != model.sha256 == fixed.file_sha256 == model.file_sha256
    hashed = [text for text in emit_native(fixed).files.values() if "SHA-256" in text]
    assert len(hashed) > 2
    assert all(f"Model SHA-256: {model.sha256}" in text for text in hashed)


def test_it_computes_the_same_as_the_open_model_at_that_size(model):
    from ai_edge_litert.interpreter import Interpreter

    image = np.random.default_rng(0).normal(0, 1, (1, 8, 6, 3)).astype(np.float32)
    (found,) = litert.run(resize(model, {0: (1, 8, 6, 3)}), [[image]])
    interpreter = Interpreter(model_content=model.content)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], image.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    np.testing.assert_allclose(found[0], interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


@pytest.mark.parametrize(("target", "runtime"), [("rpi4", ""), ("pico", "tflm"), ("pico", "c")])
def test_a_time_without_a_shape_is_refused(model, target, runtime):
    with pytest.raises(UnsupportedModelError, match="any-size's input is open") as caught:
        bench(model, load_target(target), runtime=runtime)
    assert caught.value.got == "image ?x?x?x3"
    assert "--input-shape 1,224,224,3" in caught.value.hint


def test_the_time_grows_with_the_shape(model):
    target = load_target("rpi4")
    small, large = (predict(resized(model, [shape]), target) for shape in ("1,32,32,3", "1,256,256,3"))
    assert large.macs > 60 * small.macs
    assert large.latency_ms.estimate > small.latency_ms.high


def test_an_open_batch_is_one_sample():
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32", signature=(-1, 4))
    refuse_open(parse_tflite(graph.build([graph.unary("ABS", x)])), "nothing")


@pytest.mark.parametrize("text", ["1,2,x", "1,0,4,3", "-1,2,2,3", "", "1,,2,3"])
def test_what_is_no_shape(model, text):
    with pytest.raises(UsageError, match="is no shape"):
        parse_shapes(model, [text])


@pytest.mark.parametrize("text", ["1,32,32,4", "1,32,32", "1,32,32,3,1"])
def test_only_open_dimensions_can_be_chosen(model, text):
    with pytest.raises(UsageError, match="cannot have the shape") as caught:
        resized(model, [text])
    assert caught.value.expected.startswith("?x?x?x3")


def test_a_fixed_model_keeps_its_shape():
    model = parse_tflite(tiny_cnn())
    assert resized(model, []) is model
    with pytest.raises(UsageError, match="cannot have the shape 1x9x9x1"):
        resized(model, ["1,9,9,1"])


def sequence():
    """A dense layer for every step, as Keras exports it: its rows are open, and stand in the file as 1."""
    graph = GraphBuilder(2)
    x = graph.input((1, 5, 6), signature=(-1, 5, 6))
    rows = graph.tensor((1, 6), "int8", graph.scale_of(x), -1, signature=(-1, 6))
    graph.op("RESHAPE", [x, graph.constant(np.array([-1, 6], np.int32))], [rows])
    found = graph.fully_connected(rows, 3)
    graph.tensors[found].shapeSignature = [-1, 3]
    y = graph.like(found, (1, 5, 3))
    graph.op("RESHAPE", [found, graph.constant(np.array([-1, 5, 3], np.int32))], [y])
    return parse_tflite(graph.build([y]))


def test_shapes_inside_that_were_left_open_are_found_for_one_sample():
    model = sequence()
    assert has_open_inside(model)
    fixed = resized(model)
    assert [fixed.main.tensors[one.outputs[0]].shape for one in fixed.main.operators] == [
        (5, 6),
        (5, 3),
        (1, 5, 3),
    ]
    assert not has_open_inside(fixed)
    assert resized(fixed) is fixed
    samples = random_samples(model, 2)
    for (one,), (other,) in zip(
        host_c.run(fixed, samples), litert.run_reference(fixed, samples), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def flattened():
    """Rows of a shape that is computed from the input's, as Flatten of open batch becomes."""
    graph = GraphBuilder(3)
    x = graph.input((1, 4, 6), signature=(-1, 4, 6))
    sizes, batch, wanted = (graph.tensor(shape, "int32") for shape in ((3,), (), (2,)))
    graph.op("SHAPE", [x], [sizes], outType=2)
    bounds = [graph.constant(np.array([one], np.int32)) for one in (0, 1, 1)]
    masks = dict.fromkeys(("beginMask", "endMask", "ellipsisMask", "newAxisMask"), 0)
    graph.op("STRIDED_SLICE", [sizes, *bounds], [batch], **masks, shrinkAxisMask=1)
    graph.op("PACK", [batch, graph.constant(np.array(24, np.int32))], [wanted], valuesCount=2, axis=0)
    y = graph.tensor((1, 1), "int8", graph.scale_of(x), -1, signature=(-1, -1))
    graph.op("RESHAPE", [x, wanted], [y])
    return parse_tflite(graph.build([y]))


def test_a_computed_shape_becomes_a_constant():
    fixed = resized(flattened())
    assert [one.opcode for one in fixed.main.operators] == ["RESHAPE"]
    (reshape,) = fixed.main.operators
    assert fixed.main.tensors[reshape.inputs[1]].data.tolist() == [1, 24]
    assert fixed.main.tensors[reshape.outputs[0]].shape == (1, 24)
    samples = random_samples(fixed, 1)
    for runner in (tflm, litert, host_c):
        np.testing.assert_array_equal(runner.run(fixed, samples)[0][0], samples[0][0].reshape(1, 24))


def dilated():
    """A convolution over every other step, of open batch: its blocks stand in the file as one."""
    graph = GraphBuilder(4)
    x = graph.input((1, 8, 3), signature=(-1, 8, 3))
    blocks = graph.like(x, (1, 4, 3))
    sizes, none = graph.constant(np.array([2], np.int32)), graph.constant(np.zeros((1, 2), np.int32))
    graph.op("SPACE_TO_BATCH_ND", [x, sizes, none], [blocks])
    made = graph.unary("RELU", blocks)
    y = graph.like(made, (1, 8, 3))
    graph.op("BATCH_TO_SPACE_ND", [made, sizes, none], [y])
    return parse_tflite(graph.build([y]))


def test_blocks_of_a_dilated_convolution_are_counted():
    fixed = resized(dilated())
    shapes = [fixed.main.tensors[one.outputs[0]].shape for one in fixed.main.operators]
    assert shapes == [(2, 4, 3), (2, 4, 3), (1, 8, 3)]


def transposed():
    """A transposed convolution whose output's shape is computed."""
    graph = GraphBuilder(5)
    x = graph.input((1, 3, 4, 2), signature=(-1, 3, 4, 2))
    sizes, batch, wanted = (graph.tensor(shape, "int32") for shape in ((4,), (), (4,)))
    graph.op("SHAPE", [x], [sizes], outType=2)
    bounds = [graph.constant(np.array([one], np.int32)) for one in (0, 1, 1)]
    masks = dict.fromkeys(("beginMask", "endMask", "ellipsisMask", "newAxisMask"), 0)
    graph.op("STRIDED_SLICE", [sizes, *bounds], [batch], **masks, shrinkAxisMask=1)
    others = [graph.constant(np.array(one, np.int32)) for one in (6, 8, 5)]
    graph.op("PACK", [batch, *others], [wanted], valuesCount=4, axis=0)
    data = graph.rng.integers(-127, 128, (5, 3, 3, 2)).astype(np.int8)
    weights = graph.tensor(data.shape, "int8", [0.01] * 5, [0] * 5, data=data)
    y = graph.activation((1, 6, 8, 5), "int8")
    graph.op("TRANSPOSE_CONV", [wanted, weights, x], [y], version=3, padding="SAME", strideW=2, strideH=2)
    return parse_tflite(graph.build([y]))


def test_a_transposed_convolution_is_told_its_shape():
    fixed = resized(transposed())
    assert [one.opcode for one in fixed.main.operators] == ["TRANSPOSE_CONV"]
    samples = random_samples(fixed, 1)
    np.testing.assert_array_equal(host_c.run(fixed, samples), tflm.run(fixed, samples))


def test_shapes_that_litert_does_not_find_stay():
    graph = GraphBuilder()
    x = graph.input((1, 7), signature=(-1, 7))
    y = graph.like(x, (1, 6))
    graph.op("RESHAPE", [x, graph.constant(np.array([1, 6], np.int32))], [y])
    model = parse_tflite(graph.build([y]))
    assert resized(model) is model


def test_of_several_inputs_each_is_named():
    graph = GraphBuilder()
    names = ("left", "right")
    inputs = [graph.input((1, 1, 2), "float32", name=name, signature=(1, -1, 2)) for name in names]
    model = parse_tflite(graph.build([graph.unary("ABS", x) for x in inputs]))
    fixed = resized(model, ["left=1,5,2", "right=1,7,2"])
    assert [tensor.shape for tensor in fixed.main.input_tensors] == [(1, 5, 2), (1, 7, 2)]
    assert [tensor.shape for tensor in fixed.main.output_tensors] == [(1, 5, 2), (1, 7, 2)]
    with pytest.raises(UsageError, match="has 2 inputs") as caught:
        parse_shapes(model, ["1,5,2"])
    assert caught.value.expected == "left=SHAPE and right=SHAPE"
    with pytest.raises(UsageError, match="no input 'middle'"):
        parse_shapes(model, ["middle=1,5,2"])
    with pytest.raises(UsageError, match="two shapes"):
        parse_shapes(model, ["left=1,5,2", "left=1,6,2"])


def test_a_shape_that_the_model_cannot_run():
    graph = GraphBuilder()
    x = graph.input((1, 1, 2), "float32", name="x", signature=(1, -1, 2))
    model = parse_tflite(graph.build([graph.reshape(x, (1, 6))]), "six")
    with pytest.raises(UnsupportedModelError, match="cannot run six with inputs of 1x4x2") as caught:
        resized(model, ["1,4,2"])
    assert caught.value.got
