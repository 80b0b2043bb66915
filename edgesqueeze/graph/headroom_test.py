import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.headroom import ROOM, with_headroom
from edgesqueeze.graph.ranges import Range, ranges_in
from edgesqueeze.graph.repack import pack


def test_what_has_a_range_gets_a_wider_one():
    graph = GraphBuilder(seed=1)
    content = graph.build([graph.unary("TANH", graph.input((1, 4), "float32", name="x"), name="y")])
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = next(one for one in model.subgraphs[0].tensors if one.name == b"x")
    found.quantization = schema.QuantizationParametersT()
    found.quantization.min, found.quantization.max = np.float32([-1.5]), np.float32([3.0])
    assert ranges_in(with_headroom(pack(model, len(content)))) == {"x": Range(-1.5 * ROOM, 3 * ROOM)}
