import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.ranges import Range, ranges_in, with_ranges
from edgesqueeze.graph.repack import pack


def calibrated():
    """A file of two tensors, the first of which was calibrated."""
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [schema.TensorT() for _ in range(2)]
    for name, tensor in zip((b"seen", b"other"), graph.tensors, strict=True):
        tensor.name, tensor.shape = name, np.array([1, 2])
        tensor.quantization = schema.QuantizationParametersT()
    graph.tensors[0].quantization.min = np.array([-1.5], np.float32)
    graph.tensors[0].quantization.max = np.array([2.25], np.float32)
    graph.inputs = graph.outputs = [0]
    graph.operators, model.subgraphs = [], [graph]
    return pack(model, 1000)


def test_ranges_are_read_and_replaced():
    content = calibrated()
    assert ranges_in(content) == {"seen": Range(-1.5, 2.25)}
    assert ranges_in(with_ranges(content, {"seen": (0.0, 6.0)})) == {"seen": Range(0.0, 6.0)}
    assert ranges_in(with_ranges(content, {})) == ranges_in(content)


@pytest.mark.parametrize("name", ["other", "none"])
def test_a_tensor_without_a_range_cannot_be_given_another(name):
    with pytest.raises(ValueError, match=name):
        with_ranges(calibrated(), {name: (0.0, 1.0)})
