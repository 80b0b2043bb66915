"""Which operators a runtime knows, asked of the runtime itself: a program for a process of its own.

    python -m runtime_tests.support.resolving tflm|litert [CUSTOM OPERATOR...]

Prints the names of the operators that the runtime resolves, in some version. A model that a runtime does not
like may end the process that loads it, so each is loaded in a fork; those are cheap as long as the process is
small, which that of the tests is not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

ROOT = Path(__file__).resolve().parents[2]
NOT_OPERATORS = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")
BUILTIN: dict[str, int] = {
    name: code
    for name, code in vars(schema.BuiltinOperator).items()
    if isinstance(code, int) and name.isupper() and name not in NOT_OPERATORS
}
"""Builtin operators of the TFLite schema, by name."""
VERSIONS = (1, 2, 3)
UNRESOLVED = re.compile(r"Didn't find op|Failed to get registration|Unsupported")

Load = Callable[[bytes], object]


def resolved(runtime: str, custom: Iterable[str] = ()) -> set[str]:
    """Names of the operators that a runtime resolves: of the builtin ones, or of some custom ones.

    Args:
        runtime: ``tflm`` or ``litert``.
        custom: names of custom operators to ask for instead of the builtin ones.
    """
    done = subprocess.run(
        [sys.executable, "-m", "runtime_tests.support.resolving", runtime, *custom],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def _model(code: int, version: int, custom: str = "") -> bytes:
    """A .tflite of one operator, with one input and one output of four floats."""
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


def _loader(runtime: str) -> Load:
    if runtime == "tflm":
        from tflite_micro.python.tflite_micro import runtime as tflm

        return lambda content: tflm.Interpreter.from_bytes(content)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return lambda content: Interpreter(model_content=content, experimental_op_resolver_type=resolver)


def _said(load: Load, content: bytes) -> str:
    """What is printed, or raised, while a model is loaded in a fork."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 1)
        os.dup2(write, 2)
        try:
            load(content)
        except BaseException as error:
            os.write(2, str(error).encode())
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        output = stream.read()
    os.waitpid(child, 0)
    return output.decode(errors="replace")


def main(runtime: str, *custom: str) -> None:
    """Print the names of what the runtime resolves, one a line."""
    load = _loader(runtime)
    asked = {name: (schema.BuiltinOperator.CUSTOM, name) for name in custom} or {
        name: (code, "") for name, code in BUILTIN.items()
    }
    for name, (code, own) in asked.items():
        texts = (_said(load, _model(code, version, own)) for version in VERSIONS)
        if any(not UNRESOLVED.search(text) for text in texts):
            print(name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
