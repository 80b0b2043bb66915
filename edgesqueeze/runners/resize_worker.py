"""The process in which LiteRT finds the shapes of a model's tensors; started by ``resize``.

    python -m edgesqueeze.runners.resize_worker MODEL.tflite SHAPES OUT.json

SHAPES is a JSON list with a shape for each input; OUT.json gets one for each tensor of the main graph.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def main(model: str, shapes: str, out: str) -> None:
    """Resize, run once on zeros, since some shapes are known only then, and write all shapes."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=model,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    for detail, shape in zip(interpreter.get_input_details(), json.loads(shapes), strict=True):
        interpreter.resize_tensor_input(detail["index"], shape)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    details = sorted(interpreter.get_tensor_details(), key=lambda detail: detail["index"])
    Path(out).write_text(json.dumps([detail["shape"].tolist() for detail in details]))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (RuntimeError, ValueError) as error:
        sys.exit(str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__)
