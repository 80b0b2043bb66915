import random
import time

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgesqueeze.errors import EdgeSqueezeError, TfliteError
from edgesqueeze.graph import NO_TENSOR, parse_tflite, read_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.stats import sizes, weight_stats
from runtime_tests.support.graph_figures import total_macs
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual, tiny_two_heads

MODELS = (tiny_cnn(), tiny_dense(), tiny_residual(), tiny_two_heads(), tiny_cnn(io="float32"))
NASTY_WORDS = (b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x10")


def test_the_graph_comes_out_as_it_was_built():
    model = parse_tflite(tiny_cnn(), name="cnn")
    assert (model.name, model.description, len(model.sha256)) == ("cnn", "tiny_cnn_int8", 64)
    kinds = [operator.kind for operator in model.main.operators]
    assert kinds == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
        "AVERAGE_POOL_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert [tensor.shape for tensor in model.main.input_tensors] == [(1, 8, 8, 1)]
    assert [tensor.dtype for tensor in model.main.output_tensors] == ["int8"]
    assert model.operators == model.main.operators


def test_options_have_the_schemas_names():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 8, 8, 1)), 2, stride=2, padding="VALID", activation="RELU6")
    options = parse_tflite(graph.build([x])).main.operators[0].options
    assert (options["padding"], options["fused_activation_function"]) == ("VALID", "RELU6")
    assert (options["stride_w"], options["stride_h"], options["dilation_w_factor"]) == (2, 2, 1)


def test_vectors_in_options():
    model = parse_tflite(tiny_cnn())
    reshape = next(operator for operator in model.operators if operator.kind == "RESHAPE")
    assert reshape.options["new_shape"] == (1, 8)


def test_quantization_per_tensor_and_per_channel():
    main = parse_tflite(tiny_cnn()).main
    (x,) = main.input_tensors
    assert x.quantization.scale == pytest.approx(0.02)
    assert x.quantization.zero_point == -1
    assert not x.quantization.per_channel
    depthwise = main.tensors[main.operators[1].inputs[1]]
    assert depthwise.quantization.per_channel
    assert depthwise.quantization.axis == 3
    assert depthwise.quantization.scales.shape == depthwise.quantization.zero_points.shape == (4,)


def test_float_tensors_have_none():
    (x,) = parse_tflite(tiny_dense(dtype="float32")).main.input_tensors
    assert x.quantization is None


def test_constants_are_read_only_and_of_their_type():
    main = parse_tflite(tiny_dense()).main
    kernel, bias = (main.tensors[index] for index in main.operators[0].inputs[1:])
    assert (kernel.data.dtype, bias.data.dtype) == (np.int8, np.int32)
    assert (kernel.stored_bytes, bias.stored_bytes, kernel.elements) == (128, 32, 128)
    with pytest.raises(ValueError, match="read-only"):
        kernel.data[0, 0] = 1
    computed = main.tensors[main.operators[0].outputs[0]]
    assert not computed.is_constant
    assert computed.stored_bytes == 0


def test_optional_inputs_and_open_dimensions():
    graph = GraphBuilder()
    x = graph.tensor((1, 4), "float32", signature=(-1, 4))
    graph.inputs.append(x)
    weights = graph.constant(np.ones((2, 4), np.float32))
    y = graph.activation((1, 2), "float32")
    graph.op("FULLY_CONNECTED", [x, weights, NO_TENSOR], [y], fusedActivationFunction="NONE")
    main = parse_tflite(graph.build([y])).main
    assert main.input_tensors[0].signature == (-1, 4)
    assert main.input_tensors[0].shape == (1, 4)
    assert main.tensor(main.operators[0].inputs[2]) is None


def test_custom_operators_are_called_by_their_name():
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    y = graph.activation((1, 4), "float32")
    graph.op("CUSTOM", [x], [y], custom_name="Mine")
    (operator,) = parse_tflite(graph.build([y])).operators
    assert (operator.opcode, operator.custom_name, operator.kind) == ("CUSTOM", "Mine", "Mine")


@pytest.mark.parametrize("dtype", ["int4", "bfloat16", "float8_e4m3fn"])
def test_types_that_numpy_lacks_come_as_bytes(dtype):
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    constant = graph.tensor((4,), dtype, data=np.arange(8, dtype=np.uint8))
    y = graph.activation((1, 4), "float32")
    graph.op("MUL", [x, constant], [y])
    tensor = parse_tflite(graph.build([y])).main.tensors[constant]
    assert (tensor.dtype, tensor.data.dtype, tensor.data.size) == (dtype, np.uint8, 8)


def test_a_file_is_named_by_its_stem(tmp_path):
    (tmp_path / "door.bell.tflite").write_bytes(tiny_dense())
    assert read_tflite(tmp_path / "door.bell.tflite").name == "door.bell"


def test_a_missing_file(tmp_path):
    with pytest.raises(TfliteError, match="there is no file"):
        read_tflite(tmp_path / "none.tflite")


def test_a_folder(tmp_path):
    with pytest.raises(TfliteError, match="cannot read"):
        read_tflite(tmp_path)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (b"TFL3" + bytes(100), "104 bytes that start with 54 46 4c 33"),
        (bytes(100), "100 bytes"),
        (tiny_cnn()[:15], "15 bytes"),
    ],
)
def test_other_files_are_named(content, got):
    with pytest.raises(TfliteError, match="not a TensorFlow Lite model") as caught:
        parse_tflite(content)
    assert got in caught.value.got


def test_truncated_files_are_damaged():
    content = tiny_cnn()
    for size in range(16, len(content) - 16, 97):
        with pytest.raises(TfliteError, match="damaged"):
            parse_tflite(content[:size])


def vector_of(builder, start, items):
    start(builder, len(items))
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


def overlapping(operators, entries):
    """A small file whose operators all have the same, long list of inputs."""
    builder = flatbuffers.Builder(1024)
    schema.TensorStart(builder)
    tensors = vector_of(builder, schema.SubGraphStartTensorsVector, [schema.TensorEnd(builder)])
    inputs = builder.CreateNumpyVector(np.zeros(entries, np.int32))
    schema.OperatorStart(builder)
    schema.OperatorAddInputs(builder, inputs)
    operator = schema.OperatorEnd(builder)
    shared = vector_of(builder, schema.SubGraphStartOperatorsVector, [operator] * operators)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    schema.SubGraphAddOperators(builder, shared)
    subgraphs = vector_of(builder, schema.ModelStartSubgraphsVector, [schema.SubGraphEnd(builder)])
    schema.OperatorCodeStart(builder)
    codes = vector_of(builder, schema.ModelStartOperatorCodesVector, [schema.OperatorCodeEnd(builder)])
    schema.BufferStart(builder)
    buffers = vector_of(builder, schema.ModelStartBuffersVector, [schema.BufferEnd(builder)])
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, subgraphs)
    schema.ModelAddOperatorCodes(builder, codes)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_some_sharing_is_fine():
    assert len(parse_tflite(overlapping(3, 10)).operators) == 3


def test_a_small_file_that_unfolds_into_gigabytes_is_refused_early():
    content = overlapping(10_000, 40_000)
    assert len(content) < 250_000
    start = time.process_time()
    with pytest.raises(TfliteError, match="overlap"):
        parse_tflite(content)
    # Unfolded it takes minutes; processor time alone is more on a busy machine.
    assert time.process_time() - start < 20


def look_at_everything(content):
    """Parse and measure; only errors that EdgeSqueeze raises on purpose may escape."""
    try:
        model = parse_tflite(content)
        weight_stats(model)
        sizes(model)
        total_macs(model)
    except EdgeSqueezeError as error:
        assert isinstance(error, TfliteError), error


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    model=st.sampled_from(MODELS),
    changes=st.lists(st.tuples(st.integers(8, 4000), st.integers(0, 255)), min_size=1, max_size=12),
    length=st.one_of(st.none(), st.integers(16, 4000)),
)
def test_changed_bytes_and_cut_files_raise_nothing_else(model, changes, length):
    content = bytearray(model)
    for position, value in changes:
        content[position % (len(content) - 8) + 8] = value
    look_at_everything(bytes(content[:length]))


def test_nasty_offsets_and_lengths_raise_nothing_else():
    rng = random.Random(7)
    slowest = 0.0
    for _ in range(500):
        content = bytearray(rng.choice(MODELS))
        for _ in range(rng.choice((1, 1, 2, 4))):
            position = rng.randrange(8, len(content) - 4)
            content[position : position + 4] = rng.choice(NASTY_WORDS)
        start = time.process_time()
        look_at_everything(bytes(content))
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 10
