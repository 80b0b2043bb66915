"""Run a model in TFLite Micro on the host: the reference for what firmware computes, bit for bit.

The interpreter of the ``tflite-micro`` package uses the reference kernels, and CMSIS-NN's kernels are
written to agree with them exactly. It runs in a process of its own (``tflm_worker.py``), because TFLM
aborts on some models and writes its messages to the C library's stderr.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgesqueeze.base.worker import environment
from edgesqueeze.errors import MissingToolError, RequirementError, UnsupportedModelError
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.graph.affine import numpy_dtype
from edgesqueeze.graph.state import Between, state_of
from edgesqueeze.runners.samples import Outputs, Samples, check_samples
from edgesqueeze.target.runtimes import check_tflm_operators, missing_tflm_operators

# Above what any operator's bookkeeping takes; memory that is not touched costs nothing.
BASE_ARENA_BYTES = 8 << 20
MISSING_OPERATOR = re.compile(r"Didn't find op for builtin opcode '([^']+)'")
# TFLM's messages that only say that an earlier message was fatal.
SEQUELS = ("Failed to get registration", "Traceback", "RuntimeError", "  File", "    ")


class ArenaUse(NamedTuple):
    """Memory that TFLM needs on this host, in bytes.

    Attributes:
        bytes: size of the smallest arena that works, a multiple of 16.
        head_bytes: size of the part for activations and scratch memory, which operators share.
        tail_bytes: size of the part that lasts as long as the interpreter; pointers in it are 64 bits wide.
    """

    bytes: int
    head_bytes: int
    tail_bytes: int


def available() -> str | None:
    """None when the tflite-micro package is there, else what to install."""
    if importlib.util.find_spec("tflite_micro"):
        return None
    return "the tflite-micro package is missing (x86-64 Linux only); pip install tflite-micro"


def run(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
    """Run inferences in TFLM, one after the other.

    Args:
        model: any .tflite whose operators TFLM has.
        samples: per inference the arrays of the graph's inputs, in their order, with exactly their dtype
            and shape.
        carry_state: see ``runners`` for the contract.

    Returns:
        Per inference the arrays of the graph's outputs, in their order.

    Raises:
        DataError: an array of the wrong dtype or shape, or the wrong number of arrays.
        UnsupportedModelError: operators that TFLM does not have.
        RequirementError: TFLM refuses the model or aborts; with TFLM's own message.
        MissingToolError: the ``tflite-micro`` package is not installed.
    """
    check_samples(model, samples)
    check_tflm_operators(model)
    if not samples:
        return []
    outputs = len(model.main.outputs)
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        folder = Path(name)
        _work("run", model, samples, folder, state_of(model).between(carry_state))
        with np.load(folder / "outputs.npz", allow_pickle=False) as archive:
            stacks = [archive[f"o{index}"] for index in range(outputs)]
    return [[stack[index] for stack in stacks] for index in range(len(samples))]


def measure_arena(model: TfliteModel) -> ArenaUse:
    """The smallest arena in which the model runs on this host, found by trying.

    Raises:
        UnsupportedModelError: operators that TFLM does not have.
        RequirementError: TFLM refuses the model or aborts; with TFLM's own message.
        MissingToolError: the ``tflite-micro`` package is not installed.
    """
    check_tflm_operators(model)
    zeros = [np.zeros(tensor.shape, numpy_dtype(tensor)) for tensor in model.main.input_tensors]
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        _work("arena", model, [zeros], Path(name))
        return ArenaUse(**json.loads((Path(name) / "arena.json").read_text()))


def _work(
    task: str, model: TfliteModel, samples: Samples, folder: Path, between: Between = "nothing"
) -> None:
    """Let the worker do a task in a folder, and turn its failure into an exception."""
    if importlib.util.find_spec("tflite_micro") is None:
        raise MissingToolError(
            "TFLite Micro's interpreter is not installed",
            expected="the Python package tflite-micro",
            hint="pip install tflite-micro; it is published for x86-64 Linux only",
        )
    (folder / "model.tflite").write_bytes(model.content)
    stacks: dict[str, Any] = {
        f"i{index}": np.stack(arrays) for index, arrays in enumerate(zip(*samples, strict=True))
    }
    stacks["outputs"] = np.int64(len(model.main.outputs))
    np.savez(folder / "inputs.npz", **stacks)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "edgesqueeze.runners.tflm_worker",
            task,
            str(folder),
            str(_ample_bytes(model)),
            between,
        ],
        env=environment(),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise _failure(model, done.stderr, done.returncode)


def _failure(model: TfliteModel, log: str, status: int) -> UnsupportedModelError | RequirementError:
    missing = MISSING_OPERATOR.findall(log)
    if missing:
        return missing_tflm_operators(model, sorted(set(missing)))
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith(SEQUELS)]
    ending = f"its process ended with signal {-status}" if status < 0 else "it gave no reason"
    return RequirementError(
        f"TFLite Micro cannot run {model.name}",
        expected="TFLM allocates the model's tensors and invokes it",
        got="; ".join(lines[-4:]) or (log.strip().splitlines() or [ending])[-1],
        hint="`edgesqueeze inspect` lists its operators and types; int8 throughout is the safest choice",
    )


def _ample_bytes(model: TfliteModel) -> int:
    """An arena that is enough for certain, unless the model is beyond what TFLM can address."""
    activations = sum(
        tensor.elements * _itemsize(tensor)
        for graph in model.graphs
        for tensor in graph.tensors
        if not tensor.is_constant
    )
    return min(BASE_ARENA_BYTES + 2 * activations + 4 * len(model.content), (1 << 31) - 16)


def _itemsize(tensor: Tensor) -> int:
    try:
        return np.dtype(tensor.dtype).itemsize
    except TypeError:
        return 8
