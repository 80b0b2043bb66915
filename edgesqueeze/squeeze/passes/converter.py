"""TensorFlow's converter in a process of its own.

The converter ends with a segmentation fault on some graphs (TensorFlow 2.21: int8 with WHILE loops, as those
of a GRU are), and prints nothing. Here that is an error that says so. The process is started once, works for
every conversion of this one, and is started anew when it died. A process that has not used TensorFlow yet is
forked: importing TensorFlow once more takes seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.forked import Forked
from edgesqueeze.base.worker import environment, module_command
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph.ranges import Range
from edgesqueeze.recipe.sections import QuantizeMode
from edgesqueeze.squeeze.opening.opener import can_fork
from edgesqueeze.squeeze.passes.converter_worker import serve

MODULE = "edgesqueeze.squeeze.passes.converter_worker"


class ConverterError(Exception):
    """What the converter said of a model that it cannot convert."""


class _Worker:
    """The process, started when it is first used."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | Forked | None = None
        self._lock = threading.Lock()

    def start(self) -> subprocess.Popen[str] | Forked:
        """Start the process unless it runs.

        It has TensorFlow at once if this process has not used it yet; else it starts TensorFlow anew, which
        takes seconds, while the caller works.
        """
        if self._process is None or self._process.poll() is not None:
            self._process = Forked(serve) if can_fork() else _begun()
            atexit.register(self.stop)
        return self._process

    def stop(self) -> None:
        """End the process."""
        atexit.unregister(self.stop)
        if isinstance(self._process, Forked):
            self._process.close()
        elif self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def work(self, folder: Path) -> int:
        """Let it answer the request in a folder; its exit status if it died of it, else 0."""
        with self._lock:
            process = self.start()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(json.dumps(str(folder)) + "\n")
                    process.stdin.flush()
                if process.stdout.readline():
                    return 0
                return process.wait() or 1
            except BaseException:
                # Interrupted: an answer that comes later must not be taken for that to the next request.
                self.stop()
                raise


def _begun() -> subprocess.Popen[str]:
    return subprocess.Popen(
        module_command(MODULE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )


_WORKER = _Worker()


def warm_up() -> None:
    """Start the converter's process, so that it is there when it is needed."""
    _WORKER.start()


def convert_graph(
    model: Any,
    concrete: Any,
    mode: QuantizeMode,
    io: str,
    calibration: dict[str, Sequence[Array]] | None,
    *,
    ranges: Mapping[str, Range] | None = None,
    only_calibrate: bool = False,
) -> bytes:
    """Convert a concrete function.

    Args:
        model: the tf_keras model that owns the function's variables.
        concrete: the function, with fixed shapes.
        mode: the quantization.
        io: element type of inputs and outputs, for the integer modes.
        calibration: per input, by its name in the function, one array a sample; for the integer modes.
        ranges: what tensors span, by their names in the calibrated model, in place of what the samples show.
        only_calibrate: whether to give the float model with the ranges that the samples show instead.

    Raises:
        ConverterError: the converter cannot convert it, in its own words.
        UnsupportedModelError: the converter's process died of it.
    """
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        folder = Path(name)
        remembered = _remembered(model, concrete)
        options = tf.saved_model.SaveOptions(save_debug_info=True)
        tf.saved_model.save(
            _module(model, remembered), str(folder / "saved_model"), {"serving_default": concrete}, options
        )
        request = {
            "mode": mode,
            "io": io,
            "variables": bool(remembered),
            "ranges": dict(ranges or {}),
            "only_calibrate": only_calibrate,
        }
        (folder / "request.json").write_text(json.dumps(request))
        if calibration is not None:
            columns = {key: np.stack(list(values)) for key, values in calibration.items()}
            np.savez(folder / "calibration.npz", **columns)  # type: ignore[arg-type]
        status = _WORKER.work(folder)
        if status:
            raise _died(mode, status)
        if (folder / "failure.json").exists():
            raise ConverterError(json.loads((folder / "failure.json").read_text())["text"])
        return (folder / "model.tflite").read_bytes()


def _remembered(model: Any, concrete: Any) -> list[Any]:
    """What stateful layers keep from call to call: variables of the function that are none of the model."""
    own = {id(variable) for variable in model.variables}
    return [variable for variable in concrete.graph.variables if id(variable) not in own]


def _module(model: Any, remembered: Sequence[Any]) -> Any:
    """The model's variables without the model: Keras would trace all its layers once more to save them."""
    module = tf.Module()
    module.variables_of_model = list(model.variables)
    module.variables_of_layers = list(remembered)
    return module


def _died(mode: QuantizeMode, status: int) -> UnsupportedModelError:
    ending = f"signal {-status} ({_signal_name(-status)})" if status < 0 else f"status {status}"
    return UnsupportedModelError(
        f"TensorFlow's converter died of the model ({mode}): it ended with {ending} and said nothing",
        expected="a .tflite, or a message that says why there is none",
        hint="loops are the usual reason: use layers with fixed shapes and unroll=True, or try --quantize "
        "dynamic, float16 or none",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
