"""What TensorFlow's quantizer is shown in place of operators that it does not treat as runtimes do.

It reads a float .tflite with the range of every tensor and writes one of integers. Four things go wrong:

- It leaves some operators float of which every runtime has an integer kernel (ELU).
- Operators whose inputs and outputs share one scale (MINIMUM, MAXIMUM, SELECT, and what only moves values)
  give their output's range to what they read, also where others read the same tensor: those then find all
  that lies outside cut off.
- It leaves the cast float that makes real numbers of an input of integers, as of pixels. Where an input is
  read by such casts alone, what they give becomes the input: as for any other input of real numbers.
- Where an output is also read by ARG_MAX or ARG_MIN, these find the output in float.

A LEAKY_RELU has a range of its own and no constants, so one stands in for the operators of the first kind,
and before those of the second. Its slope, a number that no model has, says what it stands for, and in the
file that comes out it is made that: in the second case QUANTIZE, from one scale to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.affine import is_quantized, quantized_twin, real_range
from edgesqueeze.graph.objects import drop_unused_codes, kind_of, kind_of_code, listed
from edgesqueeze.graph.ranges import Range, ranges_in
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.repack import pack

Quantizer = Callable[[bytes], bytes]

CUT = 0.01
"""Part of a tensor's width that may be cut off for other readers."""
ROUNDS = 4
"""Times that it is looked whether something is cut off: it may be cut off one tensor earlier then."""
UNTIED = float.fromhex("0x1.e5c7a2p+90")
"""The slope of what stands before an operator that shares its scale; it is never computed with."""
DEQUANTIZE = schema.BuiltinOperator.DEQUANTIZE
CHOICES = (schema.BuiltinOperator.ARG_MAX, schema.BuiltinOperator.ARG_MIN)
VERSIONS: Mapping[int, int] = {schema.BuiltinOperator.QUANTIZE: 2, **dict.fromkeys(CHOICES, 2)}
"""Of the operators' definitions, from which on they take integers; 1 if not named."""
SLOPES: Mapping[int, float] = {schema.BuiltinOperator.ELU: float.fromhex("0x1.e5c7a4p+90")}
"""Operators with a stand-in, and its slope: values that no model has."""


def quantized(content: bytes, quantize: Quantizer) -> bytes:
    """A calibrated .tflite in integers, with stand-ins where they are needed and nothing changed elsewhere.

    Args:
        content: a float .tflite with the ranges of its tensors.
        quantize: TensorFlow's quantizer.
    """
    shown = _with_stand_ins(_with_real_inputs(content))
    result = quantize(shown)
    for _ in range(ROUNDS):
        cut = _cut_off(shown, result)
        if not cut:
            break
        shown = _untied(shown, cut)
        result = quantize(shown)
    return _without_float_choices(result if shown is content else _restored(result))


def _with_real_inputs(content: bytes) -> bytes:
    """The same model, or ``content`` itself where no input of integers is only cast to real numbers."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, changed = model.subgraphs[0], False
    graph.inputs = listed(graph.inputs)
    for place, source in enumerate(graph.inputs):
        readers = [one for one in listed(graph.operators) if source in listed(one.inputs)]
        if len(readers) != 1 or source in graph.outputs or not _makes_real(model, graph, readers[0]):
            continue
        real = int(readers[0].outputs[0])
        graph.operators.remove(readers[0])
        graph.inputs[place] = real
        graph.tensors[real].name = graph.tensors[source].name
        for signature in listed(model.signatureDefs):
            for one in listed(signature.inputs):
                one.tensorIndex = real if one.tensorIndex == source else one.tensorIndex
        changed = True
    return pack(model, len(content)) if changed else content


def _makes_real(model: Any, graph: Any, operator: Any) -> bool:
    """Whether an operator makes float32 of integers, and it is known what these span."""
    before, after = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    ranged = after.quantization is not None and after.quantization.min is not None
    real = schema.TensorType.FLOAT32, before.type != schema.TensorType.BOOL
    return kind_of(model, operator) == schema.BuiltinOperator.CAST and ranged and real == (after.type, True)


def _without_float_choices(content: bytes) -> bytes:
    """The same model, or ``content`` itself where no choice is made from what is float for an output."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    made = {one.outputs[0]: one for one in listed(graph.operators) if kind_of(model, one) == DEQUANTIZE}
    choices = [
        one for one in listed(graph.operators) if kind_of(model, one) in CHOICES and one.inputs[0] in made
    ]
    for choice in choices:
        source = made[choice.inputs[0]]
        choice.inputs = [source.inputs[0], *list(choice.inputs)[1:]]
        code = model.operatorCodes[choice.opcodeIndex]
        code.version = max(code.version, VERSIONS[kind_of(model, choice)])
        gone = source.outputs[0]
        read = [*graph.outputs, *(index for one in graph.operators for index in listed(one.inputs))]
        if source in graph.operators and gone not in read:
            graph.operators.remove(source)
    if choices:
        drop_unused_codes(model)
    return pack(model, len(content)) if choices else content


def _with_stand_ins(content: bytes) -> bytes:
    """The same model, or ``content`` itself where nothing needs a stand-in."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = False
    for graph in model.subgraphs:
        for operator in listed(graph.operators):
            slope = SLOPES.get(kind_of(model, operator))
            if slope is not None:
                found = True
                _make(model, operator, schema.BuiltinOperator.LEAKY_RELU, slope)
    return pack(model, len(content)) if found else content


def _cut_off(shown: bytes, result: bytes) -> dict[str, set[str]]:
    """Tensors whose range others were to read as a whole, and what the readers give that took it away."""
    ranges, stored = ranges_in(shown), _stored(result)
    graph = schema.ModelT.InitFromPackedBuf(shown, 0).subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    given_by: dict[int, list[set[str]]] = {}
    for operator in listed(graph.operators):
        gives = {names[output] for output in listed(operator.outputs)}
        for index in {*listed(operator.inputs)}:
            given_by.setdefault(int(index), []).append(gives)
    cut: dict[str, set[str]] = {}
    for index, name in enumerate(names):
        readers = given_by.get(index, [])
        if len(readers) + list(graph.outputs).count(index) < 2 or name not in ranges or name not in stored:
            continue
        if not _cuts(stored[name], ranges[name]):
            continue
        given = set().union(*readers)
        tied = {one for one in given if stored.get(one) == stored[name]}
        # Of those that share the scale, the ones that need no more; else what moves values to such a one.
        narrow = {one for one in tied if one in ranges and _cuts(ranges[one], ranges[name])}
        if tied:
            cut[name] = narrow or tied
    return cut


def _stored(result: bytes) -> dict[str, Range]:
    """What the integers of a quantized model's main graph can hold, by the names of its tensors."""
    graph = parse_tflite(result).main
    integers = {tensor.name: quantized_twin(graph, tensor) for tensor in graph.tensors}
    return {name: Range(*real_range(one)) for name, one in integers.items() if is_quantized(one)}


def _cuts(narrow: Range, wide: Range) -> bool:
    most = CUT * (wide.high - wide.low)
    return narrow.low > wide.low + most or narrow.high < wide.high - most


def _untied(content: bytes, cut: Mapping[str, Collection[str]]) -> bytes:
    """The same model in which some operators read a tensor through a stand-in."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    operators = []
    for operator in graph.operators:
        operator.inputs = listed(operator.inputs)
        gives = {names[one] for one in listed(operator.outputs)}
        for place, index in enumerate(operator.inputs):
            if index < 0 or not gives.intersection(cut.get(names[index], ())):
                continue
            before = schema.OperatorT()
            before.inputs, before.outputs = [index], [_copy(graph, index)]
            _make(model, before, schema.BuiltinOperator.LEAKY_RELU, UNTIED)
            operators.append(before)
            operator.inputs[place] = before.outputs[0]
        operators.append(operator)
    graph.operators = operators
    return pack(model, len(content))


def _copy(graph: Any, index: int) -> int:
    """A new tensor with the shape, type and range of another; its number."""
    old, new = graph.tensors[index], schema.TensorT()
    new.shape, new.shapeSignature, new.type, new.buffer = old.shape, old.shapeSignature, old.type, 0
    new.name = f"{old.name.decode()};{len(graph.tensors)}".encode()
    new.quantization = schema.QuantizationParametersT()
    new.quantization.min, new.quantization.max = old.quantization.min, old.quantization.max
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _restored(content: bytes) -> bytes:
    """The quantized model with what the stand-ins stand for."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    kinds = {slope: kind for kind, slope in SLOPES.items()}
    kinds[UNTIED] = schema.BuiltinOperator.QUANTIZE
    for graph in model.subgraphs:
        for operator in listed(graph.operators):
            if kind_of(model, operator) != schema.BuiltinOperator.LEAKY_RELU:
                continue
            kind = kinds.get(float(operator.builtinOptions.alpha))
            if kind is not None:
                _make(model, operator, kind)
            if kind == schema.BuiltinOperator.QUANTIZE and _keeps_scale(graph, operator):
                _bypass(graph, operator)
    drop_unused_codes(model)
    return pack(model, len(content))


def _keeps_scale(graph: Any, operator: Any) -> bool:
    before, after = (graph.tensors[one].quantization for one in (operator.inputs[0], operator.outputs[0]))
    return bool(before.scale[0] == after.scale[0] and before.zeroPoint[0] == after.zeroPoint[0])


def _bypass(graph: Any, operator: Any) -> None:
    """Let those that read what an operator gives read what it reads, and take the operator out."""
    source, gone = operator.inputs[0], operator.outputs[0]
    graph.operators.remove(operator)
    for reader in graph.operators:
        reader.inputs = [source if one == gone else one for one in listed(reader.inputs)]
    del graph.tensors[gone]
    for one in graph.operators:
        one.inputs = [n - (n > gone) for n in listed(one.inputs)]
        one.outputs = [n - (n > gone) for n in listed(one.outputs)]
    graph.inputs, graph.outputs = ([n - (n > gone) for n in many] for many in (graph.inputs, graph.outputs))


def _make(model: Any, operator: Any, kind: int, slope: float | None = None) -> None:
    """Make an operator one of another kind: a LEAKY_RELU with a slope, or one without options."""
    same = [one for one in model.operatorCodes if kind_of_code(one) == kind]
    if same:
        code = same[0]
    else:
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = (
            kind,
            min(kind, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES),
        )
        model.operatorCodes.append(code)
    code.version = max(code.version, VERSIONS.get(kind, 1))
    operator.opcodeIndex = model.operatorCodes.index(code)
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.NONE, None
    if slope is not None:
        operator.builtinOptionsType = schema.BuiltinOptions.LeakyReluOptions
        operator.builtinOptions = schema.LeakyReluOptionsT()
        operator.builtinOptions.alpha = slope
