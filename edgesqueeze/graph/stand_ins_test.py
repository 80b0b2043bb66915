import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.ranges import Range
from edgesqueeze.graph.repack import pack
from edgesqueeze.graph.stand_ins import quantized

SHAPE = (1, 4)


def calibrated(kinds, ranges):
    """A float file: operators that all read the input, and what tensors span, the input first."""
    graph = GraphBuilder(seed=1)
    x = graph.input(SHAPE, "float32", name="x")
    outputs = [graph.unary(kind, x, name=f"y{number}") for number, kind in enumerate(kinds)]
    model = schema.ModelT.InitFromPackedBuf(graph.build(outputs), 0)
    by_name = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    for name, (low, high) in zip(("x", "y0", "y1"), ranges, strict=False):
        found = by_name[name].quantization = schema.QuantizationParametersT()
        found.min, found.max = np.array([low], np.float32), np.array([high], np.float32)
    return pack(model, 1000)


class Quantizer:
    """One that gives every tensor its range, but the input of a RELU that of the RELU's output."""

    def __init__(self):
        self.shown = []

    def __call__(self, content):
        self.shown.append([one.opcode for one in parse_tflite(content).main.operators])
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        graph = model.subgraphs[0]
        kinds = [model.operatorCodes[one.opcodeIndex].builtinCode for one in graph.operators]
        for tensor in graph.tensors:
            low, high = tensor.quantization.min[0], tensor.quantization.max[0]
            tensor.type = schema.TensorType.INT8
            scale = (high - low) / 255
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([round(-128 - low / scale)])
        for kind, operator in zip(kinds, graph.operators, strict=True):
            if kind == schema.BuiltinOperator.RELU:
                before, after = (graph.tensors[one[0]] for one in (operator.inputs, operator.outputs))
                before.quantization = after.quantization
        return pack(model, 1000)


def operators(content):
    graph = parse_tflite(content).main
    return [(one.opcode, graph.tensors[one.inputs[0]].name.split(";")[0]) for one in graph.operators]


def test_what_needs_no_stand_in_is_quantized_once_as_it_is():
    quantize = Quantizer()
    content = calibrated(["TANH", "ABS"], [Range(-2, 3), Range(-1, 1), Range(0, 3)])
    assert quantized(content, quantize) == Quantizer()(content)
    assert quantize.shown == [["TANH", "ABS"]]


def test_an_operator_that_would_stay_float_is_shown_as_another():
    quantize = Quantizer()
    result = quantized(calibrated(["ELU"], [Range(-2, 3), Range(-1, 3)]), quantize)
    assert quantize.shown == [["LEAKY_RELU"]]
    assert operators(result) == [("ELU", "x")]
    assert [one.builtinCode for one in schema.ModelT.InitFromPackedBuf(result, 0).operatorCodes] == [
        schema.BuiltinOperator.ELU
    ]


def test_what_one_reader_does_not_need_is_not_cut_off_for_the_other():
    quantize = Quantizer()
    result = quantized(calibrated(["RELU", "TANH"], [Range(-2, 3), Range(0, 3), Range(-1, 1)]), quantize)
    assert quantize.shown == [["RELU", "TANH"], ["LEAKY_RELU", "RELU", "TANH"]]
    assert operators(result) == [("QUANTIZE", "x"), ("RELU", "x"), ("TANH", "x")]
    graph = parse_tflite(result).main
    scales = [graph.tensors[one.inputs[0]].quantization.scale for one in graph.operators]
    assert np.allclose(scales, np.array([5, 3, 5]) / 255)


def test_a_reader_alone_may_cut_off_what_it_does_not_need():
    quantize = Quantizer()
    quantized(calibrated(["RELU"], [Range(-2, 3), Range(0, 3)]), quantize)
    assert quantize.shown == [["RELU"]]
