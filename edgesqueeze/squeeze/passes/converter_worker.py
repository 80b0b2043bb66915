"""The process in which TensorFlow's converter runs, which dies of some models: see ``converter.py``.

It reads one folder a line from stdin. A folder holds a SavedModel, ``request.json`` and, for the integer
modes, ``calibration.npz``; the answer is ``model.tflite`` or ``failure.json`` in it, and a line on stdout.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

CONCRETE_FUNCTIONS = 3
"""``ModelType.TF_CONCRETE_FUNCTIONS`` of TFLite's conversion metadata."""


def main() -> None:
    """Answer requests until stdin ends."""
    import edgesqueeze.squeeze  # noqa: F401 - starts TensorFlow quietly, while the caller does other things

    answers = sys.stdout
    sys.stdout = sys.stderr
    serve(sys.stdin, answers)


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more; TensorFlow must have been imported, and not used here."""
    import tensorflow as tf

    # A GPU does not survive a fork, and conversion has no use for one.
    tf.config.set_visible_devices([], "GPU")
    for line in requests:
        folder = Path(json.loads(line))
        try:
            (folder / "model.tflite").write_bytes(_convert(folder))
        except Exception as error:  # the converter raises whatever its passes raise
            (folder / "failure.json").write_text(
                json.dumps({"type": type(error).__name__, "text": str(error)})
            )
        print("done", file=answers, flush=True)


def _convert(folder: Path) -> bytes:
    import tensorflow as tf

    from edgesqueeze.squeeze.passes.spelled_out import rewrite_saved_model

    request = json.loads((folder / "request.json").read_text())
    mode = request["mode"]
    if mode in ("int8", "int16x8"):
        rewrite_saved_model(folder / "saved_model")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model"))
    # What the file says of its origin: the SavedModel is only the way from one process to the other.
    converter._metadata.environment.modelType = CONCRETE_FUNCTIONS
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if mode != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode in ("int8", "int16x8"):
        # What a layer remembers is stored in integers then, as all that it computes with.
        converter._experimental_variable_quantization = request["variables"]
        converter.representative_dataset = lambda: _samples(folder / "calibration.npz")
        converter.target_spec.supported_ops = [_integer_operators(mode)]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(request["io"])
    converter._experimental_calibrate_only = request["only_calibrate"]
    with _calibrated_out_of_place(mode), _imposed(request["ranges"]):
        return bytes(converter.convert())


@contextlib.contextmanager
def _calibrated_out_of_place(mode: str) -> Iterator[None]:
    """Keep tensors from being overwritten before calibration looks at them."""
    from tensorflow.lite.python import lite

    from edgesqueeze.graph.headroom import with_headroom
    from edgesqueeze.graph.in_place import with_kept_inputs, with_own_outputs
    from edgesqueeze.graph.int16_roots import with_int16_roots
    from edgesqueeze.graph.integer_forms import with_integer_forms
    from edgesqueeze.graph.masks import with_limited_masks
    from edgesqueeze.graph.own_biases import with_own_biases
    from edgesqueeze.graph.stand_ins import quantized
    from edgesqueeze.graph.zero_scales import with_positive_scales

    calibrator = lite._calibrator.Calibrator

    class OutOfPlace(calibrator):  # type: ignore[misc,valid-type]
        def __init__(self, content: bytes, *others: Any) -> None:
            self.own = with_integer_forms(content, mode)
            self.others = others
            super().__init__(with_kept_inputs(self.own), *others)

        def calibrate(self, *samples: Any) -> bytes:
            self.found = with_limited_masks(with_own_outputs(super().calibrate(*samples), self.own))
            return self.found

        def calibrate_and_quantize(self, samples: Any, *types: Any, **options: Any) -> bytes:
            """Int16x8, by another quantizer: it takes the ranges of a calibrator that saw nothing."""

            def quantize(shown: bytes) -> bytes:
                made = calibrator(shown, *self.others)
                return bytes(made.calibrate_and_quantize(lambda: iter(()), *types, **options))

            ready = with_own_biases(with_headroom(with_int16_roots(self.found)))
            return with_positive_scales(quantized(ready, quantize))

    try:
        lite._calibrator.Calibrator = OutOfPlace
        yield
    finally:
        lite._calibrator.Calibrator = calibrator


@contextlib.contextmanager
def _imposed(ranges: Mapping[str, Any]) -> Iterator[None]:
    """Step in between calibration and quantization, with other ranges and with stand-ins for operators."""
    from tensorflow.lite.python import lite

    from edgesqueeze.graph.ranges import with_ranges
    from edgesqueeze.graph.shared_scales import with_shared_scales
    from edgesqueeze.graph.stand_ins import quantized

    quantize = lite._mlir_quantize

    def instead(content: bytes, *args: Any, **options: Any) -> bytes:
        content = with_ranges(content, ranges) if ranges else content
        made = quantized(content, lambda shown: bytes(quantize(shown, *args, **options)))
        return with_shared_scales(made)

    try:
        lite._mlir_quantize = instead
        yield
    finally:
        lite._mlir_quantize = quantize


def _integer_operators(mode: str) -> Any:
    import tensorflow as tf

    if mode == "int8":
        return tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    return tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


def _samples(path: Path) -> Iterator[Any]:
    with np.load(path, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in stored.files}
    for index in range(len(next(iter(columns.values())))):
        # By name: the converter sorts several inputs as it likes.
        yield {name: values[index] for name, values in columns.items()}


if __name__ == "__main__":
    main()
