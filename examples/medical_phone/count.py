"""Count the nuclei in a picture with a .tflite, as the app does."""

import argparse
from pathlib import Path

import numpy as np
from nuclei import joined, nuclei_of, stretched, tiles
from PIL import Image

import edgesqueeze


def outputs_of(model, parts):
    """What a .tflite says of tiles [n, 64, 64, 1] of 0 to 255, normalized as its own metadata say."""
    (port,) = edgesqueeze.read_metadata(model).inputs
    ready = (parts.astype(np.float32) - np.float32(port.mean)) / np.float32(port.std)
    return edgesqueeze.run(model, ready, runtime="litert")[0]


def inside_of(model, picture):
    """Where a nucleus is [height, width] bool, of a grey picture [height, width] uint8."""
    return joined(outputs_of(model, tiles(stretched(picture))), picture.shape) >= 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    with Image.open(options.picture) as image:
        picture = np.asarray(image.convert("L"))
    print(f"{nuclei_of(inside_of(options.model, picture)).max()} nuclei")


if __name__ == "__main__":
    main()
