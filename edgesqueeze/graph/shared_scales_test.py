import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.builder_parts import quantization
from edgesqueeze.graph.repack import pack
from edgesqueeze.graph.shared_scales import HIDDEN, STATE, with_shared_scales
from edgesqueeze.runners import litert

SHAPE = (1, 4)


def reversed_row(scales):
    """A reversal of int8 from one scale to another."""
    graph = GraphBuilder(seed=1)
    x = graph.input(SHAPE, name="x")
    y = graph.activation(SHAPE, "int8", name="y")
    graph.op("REVERSE_V2", [x, graph.constant(np.int32([1]))], [y])
    for tensor, scale in zip((x, y), scales, strict=True):
        graph.tensors[tensor].quantization = quantization(scale, 0, 0)
    return graph.build([y])


def test_what_was_moved_gets_the_other_scale_behind():
    content = with_shared_scales(reversed_row((0.5, 0.25)))
    found = parse_tflite(content)
    assert [one.opcode for one in found.main.operators] == ["REVERSE_V2", "QUANTIZE"]
    values = np.int8([[1, 2, 3, 4]])
    np.testing.assert_array_equal(litert.run(found, [[values]])[0][0], [[8, 6, 4, 2]])


def test_what_has_one_scale_stays_as_it_is():
    content = reversed_row((0.5, 0.5))
    assert with_shared_scales(content) is content


@pytest.mark.parametrize("output", [(0.5, 3), (0.25, 3), (0.5, 0)])
def test_the_state_of_an_lstm_has_the_scale_of_its_output(output):
    graph = GraphBuilder(seed=1)
    x, y = graph.input(SHAPE, name="x"), graph.activation(SHAPE, "int8", name="y")
    state, hidden = (graph.activation(SHAPE, "int8", name=name) for name in ("state", "hidden"))
    graph.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *[-1] * (STATE - 1), state], [y], cellClip=10.0)
    content = graph.build([y])
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    tensors = model.subgraphs[0].tensors
    model.subgraphs[0].operators[0].intermediates = [x] * HIDDEN + [hidden]
    for index, found in ((y, output), (state, (0.5, 3)), (hidden, (0.5, 3))):
        tensors[index].quantization = quantization(*found, 0)
    after = parse_tflite(with_shared_scales(pack(model, len(content)))).main.tensors
    for index in (y, state, hidden):
        found = after[index].quantization
        assert (found.scale, found.zero_point) == output
