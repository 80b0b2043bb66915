from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.devices.browser.order import Order, signature_order
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.repack import pack
from runtime_tests.support.tflite_builder import tiny_two_heads


def signed(inputs, outputs):
    """The model with two inputs and outputs, and a signature that names them in an order of its own."""
    record = schema.ModelT.InitFromPackedBuf(tiny_two_heads(), 0)
    graph, signature = record.subgraphs[0], schema.SignatureDefT()

    def tensors(places, indices):
        found = []
        for place in places:
            one = schema.TensorMapT()
            one.name, one.tensorIndex = f"x{place}".encode(), int(indices[place])
            found.append(one)
        return found

    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs, signature.outputs = tensors(inputs, graph.inputs), tensors(outputs, graph.outputs)
    record.signatureDefs = [signature]
    return pack(record, 1000)


def test_the_order_is_that_of_the_signature():
    assert signature_order(parse_tflite(tiny_two_heads())) == Order((0, 1), (0, 1))
    assert signature_order(parse_tflite(signed((1, 0), (0, 1)))) == Order((1, 0), (0, 1))
    assert signature_order(parse_tflite(signed((0, 1), (1, 0)))) == Order((0, 1), (1, 0))


def test_a_signature_that_leaves_tensors_out_says_nothing():
    assert signature_order(parse_tflite(signed((1, 0), (1,)))) == Order((0, 1), (0, 1))
