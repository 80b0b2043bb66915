"""Build and train one model of the table, in a process of its own: ``make.py MODULE:FUNCTION FOLDER``.

The folder gets the model's file, ``data.npz``, and ``made.json`` with the file's name. With ``--plain``
TensorFlow's own converter is asked for an int8 file of it instead: exit status 0 if it makes one.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.scheme import float_operators
from runtime_tests.support.zoo.made import Made


def main(make: str, folder: Path, *plain: str) -> None:
    """Make it, or try to convert what was made."""
    import keras

    keras.utils.set_random_seed(0)
    if plain:
        made = build(make)
        if not convert_plainly(made):
            raise SystemExit(1)
        return
    made = build(make)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "data.npz", **made.data.arrays())  # type: ignore[arg-type]
    save = made.save or (lambda model, path: model.save(path))
    save(made.model, str(folder / made.file))
    (folder / "made.json").write_text(json.dumps({"file": made.file}))


def build(make: str) -> Made:
    """Call ``MODULE:FUNCTION`` of this package."""
    module, function = make.split(":")
    made: Made = getattr(importlib.import_module(f"runtime_tests.support.zoo.{module}"), function)()
    return made


def convert_plainly(made: Made) -> bool:
    """Whether TFLiteConverter alone makes a file of integer operators of a model."""
    import tensorflow as tf

    model: Any = made.model
    samples = _columns(made)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([column[i : i + 1] for column in samples] for i in range(50))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        return not float_operators(parse_tflite(converter.convert()))
    except Exception as error:
        print(error, file=sys.stderr)
        return False


def _columns(made: Made) -> list[Any]:
    x = made.data.x_test
    if isinstance(x, np.ndarray):
        return [x]
    return [x[name] for name in made.model.input_names]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
