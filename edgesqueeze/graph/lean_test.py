"""What TensorFlow Lite Micro does not read goes; all that computes stays."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.lean import lean
from edgesqueeze.graph.repack import pack
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_lstm, tiny_residual, tiny_sum

MODELS = {
    "cnn": tiny_cnn,
    "dense": tiny_dense,
    "residual": tiny_residual,
    "lstm": tiny_lstm,
    "variables": tiny_sum,
}


def record(content):
    return schema.ModelT.InitFromPackedBuf(content, 0)


@pytest.mark.parametrize("name", MODELS)
def test_what_computes_stays(name):
    before = parse_tflite(MODELS[name]())
    after = parse_tflite(lean(before))
    assert len(after.content) < len(before.content)
    for one, other in zip(before.graphs, after.graphs, strict=True):
        assert (one.inputs, one.outputs) == (other.inputs, other.outputs)
        assert [(it.kind, it.inputs, dict(it.options)) for it in one.operators] == [
            (it.kind, it.inputs, dict(it.options)) for it in other.operators
        ]
        for a, b in zip(one.tensors, other.tensors, strict=True):
            assert (a.shape, a.dtype, a.variable) == (b.shape, b.dtype, b.variable)
            assert (a.data is None) == (b.data is None)
            if a.data is not None:
                np.testing.assert_array_equal(a.data, b.data)
            if a.dtype == "int8" and a.quantization is not None:
                np.testing.assert_array_equal(a.quantization.scales, b.quantization.scales)
                np.testing.assert_array_equal(a.quantization.zero_points, b.quantization.zero_points)


def test_words_zero_points_and_scales_of_biases_go():
    before, after = record(tiny_cnn()), record(lean(parse_tflite(tiny_cnn())))
    assert any(tensor.name for tensor in before.subgraphs[0].tensors)
    assert not any(tensor.name for tensor in after.subgraphs[0].tensors)
    assert after.description is None
    assert after.signatureDefs is None
    for tensor in after.subgraphs[0].tensors:
        if tensor.quantization is not None and tensor.quantization.scale is not None:
            assert len(tensor.quantization.zeroPoint) == 1
    biases = [tensor for tensor in after.subgraphs[0].tensors if tensor.type == schema.TensorType.INT32]
    # The last is that of FULLY_CONNECTED, where TFLM compares scales; one is a shape.
    assert sum(tensor.quantization is not None for tensor in biases) == 1


def test_a_zero_point_that_says_something_stays():
    graph = GraphBuilder()
    y = graph.conv2d(graph.input((1, 4, 4, 2)), 3)
    content = record(graph.build([y]))
    weights = next(
        one
        for one in content.subgraphs[0].tensors
        if one.quantization is not None and len(one.quantization.scale) > 1
    )
    weights.quantization.zeroPoint = np.array([0, 1, 0], np.int64)
    after = parse_tflite(lean(parse_tflite(pack(content, 4096))))
    (kept,) = (one for one in after.main.tensors if one.quantization and one.quantization.per_channel)
    assert kept.quantization.zero_points.tolist() == [0, 1, 0]


def test_a_bias_that_something_else_reads_keeps_its_scale():
    graph = GraphBuilder()
    x = graph.input((1, 4, 4, 2))
    y = graph.conv2d(x, 3)
    content = record(graph.build([y]))
    bias = next(
        i for i, one in enumerate(content.subgraphs[0].tensors) if one.type == schema.TensorType.INT32
    )
    content.subgraphs[0].outputs = [*content.subgraphs[0].outputs, bias]
    after = parse_tflite(lean(parse_tflite(pack(content, 4096))))
    assert after.main.tensors[bias].quantization is not None


def test_what_the_planner_reads_stays():
    content = record(tiny_cnn())
    for name in (b"OfflineMemoryAllocation", b"CONVERSION_METADATA"):
        content.buffers.append(schema.BufferT())
        content.buffers[-1].data = np.frombuffer(name, np.uint8)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(content.buffers) - 1
        content.metadata = [*(content.metadata or []), entry]
    after = record(lean(parse_tflite(pack(content, 4096))))
    (kept,) = after.metadata
    assert kept.name == b"OfflineMemoryAllocation"
    assert bytes(after.buffers[kept.buffer].data) == b"OfflineMemoryAllocation"


def test_equal_constants_share_a_buffer_and_again_changes_nothing():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    weights = np.arange(16, dtype=np.int8).reshape(4, 4)
    y = graph.fully_connected(graph.fully_connected(x, 4, weights=weights), 4, weights=weights)
    small = lean(parse_tflite(graph.build([y])))
    assert small.count(weights.tobytes()) == 1
    assert lean(parse_tflite(small)) == small
