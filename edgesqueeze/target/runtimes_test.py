from __future__ import annotations

import faulthandler
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.target.runtimes import (
    LITERT_OPERATORS,
    OPERATOR_SETS,
    TFLM_CUSTOM_METHODS,
    TFLM_REFUSED_TYPES,
    TFLM_RESOLVER_METHODS,
    refusal,
)

BUILTIN = {
    name: code
    for name, code in vars(schema.BuiltinOperator).items()
    if isinstance(code, int)
    and name.isupper()
    and name not in ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")
}
UNRESOLVED = re.compile(r"Didn't find op|Failed to get registration|Unsupported")


def one_operator_model(code: int, version: int, custom: str = "") -> bytes:
    opcode = schema.OperatorCodeT()
    opcode.builtinCode, opcode.deprecatedBuiltinCode, opcode.version = code, min(code, 127), version
    opcode.customCode = custom or None
    tensors = []
    for name in ("in", "out"):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = [1, 4], schema.TensorType.FLOAT32, name
        tensors.append(tensor)
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0], [1]
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    model.operatorCodes, model.subgraphs = [opcode], [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@contextmanager
def _redirected(descriptor: int) -> Iterator[None]:
    saved = [os.dup(1), os.dup(2)]
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)


def what_it_says(run: Callable[[bytes], object], content: bytes) -> str:
    """Output of loading a model in a process of its own: a wrong model may end it."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        faulthandler.disable()
        with _redirected(write):
            try:
                run(content)
            except BaseException as error:
                os.write(2, str(error).encode())
            sys.stdout.flush()
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        output = stream.read()
    os.waitpid(child, 0)
    return output.decode(errors="replace")


def resolved(run: Callable[[bytes], object]) -> set[str]:
    return {
        name
        for name, code in BUILTIN.items()
        if any(not UNRESOLVED.search(what_it_says(run, one_operator_model(code, one))) for one in (1, 2, 3))
    }


def load_tflm(content: bytes) -> object:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    return runtime.Interpreter.from_bytes(content)


def load_litert(content: bytes) -> object:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_content=content, experimental_op_resolver_type=resolver)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_tflm_table_is_what_the_package_resolves() -> None:
    pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    assert resolved(load_tflm) == set(TFLM_RESOLVER_METHODS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_tflm_custom_operators_are_what_the_package_resolves() -> None:
    pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    code = schema.BuiltinOperator.CUSTOM
    for name in TFLM_CUSTOM_METHODS:
        assert not UNRESOLVED.search(what_it_says(load_tflm, one_operator_model(code, 1, name))), name
    assert UNRESOLVED.search(what_it_says(load_tflm, one_operator_model(code, 1, "NoSuchOperator")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_litert_table_is_what_the_package_resolves() -> None:
    import ai_edge_litert.interpreter  # noqa: F401  # once here, not once in every child

    assert resolved(load_litert) == set(LITERT_OPERATORS)


def test_methods_look_like_the_operators() -> None:
    for name, method in TFLM_RESOLVER_METHODS.items():
        assert method.lower() == "add" + name.replace("_", "").lower()


def test_tables_name_operators_of_the_schema() -> None:
    assert set(TFLM_RESOLVER_METHODS) <= set(BUILTIN)
    assert set(BUILTIN) >= LITERT_OPERATORS
    assert set(TFLM_REFUSED_TYPES) <= set(TFLM_RESOLVER_METHODS)
    assert set(TFLM_RESOLVER_METHODS) <= LITERT_OPERATORS


@pytest.mark.parametrize(
    ("kind", "activation", "weights", "why"),
    [
        ("CONV_2D", "int8", "int8", ""),
        ("CONV_2D", "int16", "int8", ""),
        ("CONV_2D", "float32", "float32", ""),
        ("CONV_2D", "float32", "int8", "takes no int8 weights"),
        ("CONV_2D", "uint8", "uint8", "no uint8 kernel"),
        ("QUANTIZE", "uint8", "", ""),
        ("HARD_SWISH", "int16", "", "no int16 kernel"),
        ("GELU", "", "", "has no operator GELU"),
        ("TFLM_DECODE", "int8", "", ""),
    ],
)
def test_refusal(kind: str, activation: str, weights: str, why: str) -> None:
    reason = refusal(OPERATOR_SETS["tflm"], kind, activation, weights)
    assert why in reason
    assert bool(why) == bool(reason)
