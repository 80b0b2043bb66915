"""Classify digits with a .tflite, on a Raspberry Pi or a PC. Needs NumPy and one of the runtimes below.

python run_on_pi.py model.tflite digits.npz
"""

import argparse
import time

import numpy as np


def load_interpreter(path):
    """LiteRT, or its predecessor, whichever is installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    interpreter = Interpreter(model_path=path)
    interpreter.allocate_tensors()
    return interpreter


def classify(interpreter, image):
    """The class of one image [8, 8, 1] of values from 0 to 1."""
    source = interpreter.get_input_details()[0]
    result = interpreter.get_output_details()[0]
    if source["dtype"] != np.float32:
        scale, zero_point = source["quantization"]
        limits = np.iinfo(source["dtype"])
        image = np.clip(np.round(image / scale) + zero_point, limits.min, limits.max)
    interpreter.set_tensor(source["index"], image[np.newaxis].astype(source["dtype"]))
    interpreter.invoke()
    # The class with the highest score is the same before and after dequantization.
    return int(np.argmax(interpreter.get_tensor(result["index"])))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    options = parser.parse_args()

    interpreter = load_interpreter(options.model)
    with np.load(options.data) as stored:
        images, labels = stored["x_test"], stored["y_test"]
    start = time.perf_counter()
    classes = [classify(interpreter, image) for image in images]
    seconds = time.perf_counter() - start
    print(f"first ten: {classes[:10]}, right: {labels[:10].tolist()}")
    print(f"{np.mean(np.equal(classes, labels)):.2%} of {len(images)} digits are right")
    print(f"{1e3 * seconds / len(images):.3f} ms each, one thread, with the Python around it")


if __name__ == "__main__":
    main()
