"""Put the app together: its pages, the model, LiteRT.js, and what the model's metadata say."""

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
from nuclei import LEAST_PIXELS, STEP, TILE

import edgesqueeze

HERE = Path(__file__).parent / "app"


def settings_of(path):
    """What the app needs to know, as JSON; from the .tflite alone."""
    model = edgesqueeze.read_tflite(path)
    metadata = edgesqueeze.read_metadata(model)
    (picture,), (nucleus,) = model.main.input_tensors, model.main.output_tensors
    (port,), (said,) = metadata.inputs, metadata.outputs
    # The app gives pixels as they are: what is done with them must be what the model's integers stand for.
    pixels = np.arange(256)
    ready = (pixels - port.mean[0]) / port.std[
        0
    ] / picture.quantization.scale + picture.quantization.zero_point
    if picture.dtype != "uint8" or not np.array_equal(np.rint(ready), pixels):
        sys.exit(f"{path} does not take pixels of 0 to 255: compress it with this folder's recipe.toml")
    half = 0.5 / nucleus.quantization.scale + nucleus.quantization.zero_point
    return {
        "labels": said.labels,
        "tile": TILE,
        "step": STEP,
        "least": LEAST_PIXELS,
        "threshold": int(np.ceil(half)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, default=Path("site"))
    options = parser.parse_args()

    shutil.copytree(HERE, options.out, dirs_exist_ok=True)
    shutil.copy(options.model, options.out / "model.tflite")
    (options.out / "model.json").write_text(json.dumps(settings_of(options.model), indent=2) + "\n")
    for name, path in edgesqueeze.litert_js().files.items():
        place = options.out / "litert" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    digest = hashlib.sha256()
    for path in sorted(path for path in options.out.rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    worker = options.out / "keep.js"
    worker.write_text(worker.read_text().replace("VERSION'", f"{digest.hexdigest()[:12]}'"))
    print(f"the app is in {options.out}; try it: python -m http.server --directory {options.out}")


if __name__ == "__main__":
    main()
