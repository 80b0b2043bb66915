"""The networks that a calibration is checked with: published ones, float32 and int8.

Run as a program it makes those that are missing, with TensorFlow. Weights are random: latencies do not depend
on them. MLPerf Tiny's int8 models are the published files, their float32 ones are converted from Keras files.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from common import CACHE

from edgesqueeze.base.output import write_files
from runtime_tests.support.mltk_models import mltk_model

FOLDER = CACHE / "checked"
APPLICATIONS = ("MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50")
TINY = ("keyword_spotting", "image_classification", "visual_wake_words", "anomaly_detection")
SIZE = 224


def checked_models() -> dict[tuple[str, str], Path]:
    """Paths by name and arithmetic; what is missing is made in a process of its own."""
    paths = {
        (name, kind): FOLDER / f"{name}_{kind}.tflite"
        for name in APPLICATIONS
        for kind in ("float32", "int8")
    }
    for name in TINY:
        paths[name, "float32"] = FOLDER / f"{name}_float32.tflite"
        paths[name, "int8"] = mltk_model(name)
    if not all(path.is_file() for path in paths.values()):
        # Not shown unless it fails: TensorFlow says much on the way.
        done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"error: the models could not be made\n{done.stderr[-2000:]}")
    return paths


def main() -> None:
    """Make what is missing."""
    import keras
    import tf_keras

    for name in APPLICATIONS:
        if not (FOLDER / f"{name}_int8.tflite").is_file():
            keras.utils.set_random_seed(0)
            model = getattr(keras.applications, name)(weights=None)
            files = {f"{name}_float32.tflite": _convert(model, SIZE, None)}
            files[f"{name}_int8.tflite"] = _convert(model, SIZE, 255.0)
            write_files(FOLDER, files)
    for name in TINY:
        if not (FOLDER / f"{name}_float32.tflite").is_file():
            model = tf_keras.models.load_model(mltk_model(name, ".h5"), compile=False)
            write_files(FOLDER, {f"{name}_float32.tflite": _convert(model, None, None)})


def _convert(model: Any, size: int | None, most: float | None) -> bytes:
    """The .tflite: int8 with inputs of 0 to ``most`` if that is given, else float32."""
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = (1, size, size, 3) if size else (1, *model.input_shape[1:])
    function = tf.function(lambda x: model(x, training=False))
    frozen = convert_variables_to_constants_v2(
        function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if most is not None:
        random = np.random.default_rng(0)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [random.uniform(0, most, shape).astype(np.float32)] for _ in range(2)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


if __name__ == "__main__":
    main()
