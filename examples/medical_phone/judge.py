"""Compare nuclei that models count, and Otsu's threshold, with those by hand; draw them."""

import argparse
import json
from pathlib import Path

import numpy as np
from count import outputs_of
from nuclei import (
    TRAIN_COLUMNS,
    first_microscope,
    grown,
    joined,
    nuclei_of,
    otsu,
    score,
    second_microscope,
    tiles,
)
from PIL import Image
from scipy import ndimage

DRAWS = 2000
BY_HAND, COUNTED = (64, 200, 64), (255, 150, 0)
ENLARGED = 3


def finder(path):
    """A function from a picture to its nuclei by number, for a Keras model or a .tflite."""
    if path.suffix == ".keras":
        import keras

        model = keras.models.load_model(path)

        def outputs(parts):
            return model.predict(parts.astype(np.float32) / 255, verbose=0)
    else:

        def outputs(parts):
            return outputs_of(path, parts)

    return lambda picture: grown(nuclei_of(joined(outputs(tiles(picture)), picture.shape) >= 0.5))


def pictures(data):
    """What is judged on: pictures and nuclei by hand, by name."""
    picture, labels = first_microscope(data)
    return {
        "held-out quarter": [(picture[:, TRAIN_COLUMNS:], labels[:, TRAIN_COLUMNS:])],
        "other microscope": second_microscope(data),
    }


def interval(right, false, missed):
    """95 % of F1 when nuclei are drawn anew, with replacement (Efron, 1979), as if independent."""
    chance = np.random.default_rng(0)
    events = np.repeat([0, 1, 2], [right, false, missed])
    drawn = chance.choice(events, (DRAWS, len(events)))
    hits, misses = (drawn == 0).sum(1), (drawn != 0).sum(1)
    return [float(value) for value in np.quantile(2 * hits / (2 * hits + misses), (0.025, 0.975))]


def results(find, data):
    """F1 and more by the name of what is judged on."""
    found = {}
    for name, pairs in pictures(data).items():
        scores = [score(find(one), truth) for one, truth in pairs]
        right, false, missed = (sum(one[index] for one in scores) for index in range(3))
        found[name] = {
            "f1": 2 * right / (2 * right + false + missed),
            "f1_95_percent": interval(right, false, missed),
            "right": right,
            "false": false,
            "missed": missed,
            "dice": float(np.mean([one[3] for one in scores])),
        }
    return found


def outlined(picture, truth, found):
    """A picture, enlarged, with the outlines of nuclei by hand and as they were found."""
    large = np.kron(picture, np.ones((ENLARGED, ENLARGED), np.uint8))
    image = np.stack([large] * 3, axis=-1)
    for labels, color in ((truth, BY_HAND), (found, COUNTED)):
        numbers = np.kron(labels, np.ones((ENLARGED, ENLARGED), labels.dtype))
        image[(numbers > 0) & (ndimage.grey_erosion(numbers, size=(3, 3)) != numbers)] = color
    return image


def draw(find, data, path):
    """The held-out quarter, turned, above the other microscope's planes."""
    sets = pictures(data)
    (quarter, truth), planes = sets["held-out quarter"][0], sets["other microscope"]
    top = outlined(quarter.T, truth.T, find(quarter).T)
    below = np.hstack([outlined(one, mask, find(one)) for one, mask in planes])
    height, width = top.shape[0] + below.shape[0] + ENLARGED, max(top.shape[1], below.shape[1])
    image = np.full((height, width, 3), 255, np.uint8)
    image[: top.shape[0], : top.shape[1]] = top
    image[-below.shape[0] :, : below.shape[1]] = below
    Image.fromarray(image).quantize(64).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--picture", type=Path, help="draw what the last model finds into this file")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    options = parser.parse_args()

    finders = {"Otsu": lambda picture: nuclei_of(otsu(picture))}
    finders |= {str(path): finder(path) for path in options.models}
    figures = {name: results(find, options.data) for name, find in finders.items()}
    for name, sets in figures.items():
        for where, one in sets.items():
            low, high = one["f1_95_percent"]
            counts = f"{one['right']} right, {one['false']} false, {one['missed']} missed"
            figures_of = f"F1 {one['f1']:.3f} ({low:.2f} to {high:.2f})  Dice {one['dice']:.3f}  {counts}"
            print(f"{name:30} {where:18} {figures_of}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.picture:
        draw(list(finders.values())[-1], options.data, options.picture)


if __name__ == "__main__":
    main()
