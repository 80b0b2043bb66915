"""The process in which TFLite Micro runs; started by ``edgesqueeze.runners.tflm``.

TFLM reports errors on the C level and aborts the process on some of them, hence a process of its own:

    ... tflm_worker run DIR ARENA_BYTES BETWEEN      model.tflite, inputs.npz -> outputs.npz
    ... tflm_worker arena DIR ARENA_BYTES nothing    model.tflite, inputs.npz -> arena.json

``inputs.npz`` holds i0, i1, ...: one array per graph input, with the inferences along the first axis, and
``outputs``, the number of graph outputs. ``ARENA_BYTES`` is an amount of memory that is enough for certain,
``BETWEEN`` is what happens between two inferences (``graph.state.Between``).
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

GRANULE = 16


def main(arguments: list[str]) -> None:
    """Do what the command line asks; errors end the process with TFLM's message on stderr."""
    task, folder, arena_bytes = arguments[0], Path(arguments[1]), int(arguments[2])
    content = (folder / "model.tflite").read_bytes()
    with np.load(folder / "inputs.npz", allow_pickle=False) as archive:
        inputs = [archive[f"i{index}"] for index in range(len(archive.files) - 1)]
        output_count = int(archive["outputs"])
    if task == "run":
        samples = list(zip(*inputs, strict=True))
        collected = _run(content, arena_bytes, samples, output_count, between=arguments[3])
        stacked = {f"o{index}": np.stack(values) for index, values in enumerate(zip(*collected, strict=True))}
        np.savez(folder / "outputs.npz", **stacked)  # type: ignore[arg-type]
    else:
        first = [array[0] for array in inputs]
        found = _smallest_arena(content, arena_bytes, first)
        (folder / "arena.json").write_text(json.dumps(found))


def _interpreter(content: bytes, arena_bytes: int) -> Any:
    # Here, so that a missing package is reported by the caller's process.
    from tflite_micro.python.tflite_micro import runtime

    return runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)


def _run(
    content: bytes, arena_bytes: int, samples: Sequence[Sequence[Any]], output_count: int, *, between: str
) -> list[list[Any]]:
    """Outputs of every inference."""
    interpreter = _interpreter(content, arena_bytes)
    collected = []
    for number, values in enumerate(samples):
        if number and between == "restart":
            interpreter = _interpreter(content, arena_bytes)
        elif number and between == "reset":
            interpreter.reset()
        collected.append(_infer(interpreter, values, output_count))
    return collected


def _infer(interpreter: Any, values: Sequence[Any], output_count: int) -> list[Any]:
    for index, value in enumerate(values):
        interpreter.set_input(value, index)
    interpreter.invoke()
    return [np.array(interpreter.get_output(index)) for index in range(output_count)]


def _smallest_arena(content: bytes, arena_bytes: int, values: Sequence[Any]) -> dict[str, int]:
    """The smallest arena in which one inference succeeds, a multiple of 16."""
    used = _allocations(content, arena_bytes, values)
    enough, too_small = arena_bytes // GRANULE, 0
    # The interpreter's own count is nearly always the answer; look there before halving the interval.
    exact = -(-used["total"] // GRANULE)
    guesses = [exact - 1, exact]
    while enough - too_small > 1:
        guess = guesses.pop() if guesses else (enough + too_small) // 2
        if not too_small < guess < enough:
            continue
        if _works(content, guess * GRANULE, values):
            enough = guess
        else:
            too_small = guess
    return {"bytes": enough * GRANULE, "head_bytes": used["head"], "tail_bytes": used["tail"]}


def _allocations(content: bytes, arena_bytes: int, values: Sequence[Any]) -> dict[str, int]:
    """What TFLM says about its arena: bytes in total, in the head (activations) and in the tail."""
    interpreter = _interpreter(content, arena_bytes)
    _infer(interpreter, values, 0)
    with tempfile.TemporaryFile() as log:
        stderr = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        log.seek(0)
        text = log.read().decode(errors="replace")
    return {part: int(size) for part, size in re.findall(r"Arena allocation (total|head|tail) (\d+)", text)}


def _works(content: bytes, arena_bytes: int, values: Sequence[Any]) -> bool:
    """Whether an inference succeeds; tried in a fork, since a far too small arena aborts the process."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        _infer(_interpreter(content, arena_bytes), values, 0)
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
