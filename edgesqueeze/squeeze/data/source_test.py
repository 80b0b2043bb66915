import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.source import InputSpec, array_source, dataset_source, image_source

SPEC = InputSpec("image", (4, 4, 1), "float32")
OPTIONS = DataOptions(scale=2.0)
COUNT = 12
LEVELS = np.arange(COUNT) * 10


@pytest.fixture(params=["arrays", "images", "dataset"])
def source(request, tmp_path):
    """Twelve samples of one grey each, as the model takes them 0, 20, 40 and so on; labels are numbers."""
    grey = np.broadcast_to(LEVELS[:, None, None, None], (COUNT, 4, 4, 1)).astype(np.uint8)
    labels = np.arange(COUNT)
    if request.param == "arrays":
        # Only some rows of the arrays, as behind a split.
        twice = np.repeat(grey, 2, axis=0)
        return array_source([twice], [np.repeat(labels, 2)], np.arange(0, 24, 2), [SPEC], OPTIONS)
    if request.param == "images":
        files = [tmp_path / f"{number}.png" for number in range(COUNT)]
        for file, pixels in zip(files, grey, strict=True):
            Image.fromarray(pixels[..., 0]).save(file)
        return image_source(files, list(labels), SPEC, OPTIONS)
    samples = tf.data.Dataset.from_tensor_slices(((grey,), (labels,)))
    return dataset_source(samples, COUNT, True, [SPEC], OPTIONS)


def _samples(source, seed=None):
    batches = source.stream(5, seed).as_numpy_iterator()
    return [
        (float(value), int(label))
        for inputs, labels in batches
        for value, label in zip(inputs[0][:, 0, 0, 0], labels[0], strict=True)
    ]


@pytest.mark.parametrize("seed", [None, 3])
def test_a_part_has_the_chosen_samples_and_no_others(source, seed):
    kept = np.arange(COUNT) % 3 == 1
    part = source.part(kept)
    assert part.count == 4
    assert part.labelled
    assert sorted(_samples(part, seed)) == [(20.0 * row, row) for row in (1, 4, 7, 10)]
    rest = source.part(~kept)
    assert sorted(_samples(part, seed) + _samples(rest, seed)) == sorted(_samples(source))


def test_a_part_of_a_part(source):
    part = source.part(np.arange(COUNT) >= 4).part(np.arange(8) % 2 == 0)
    assert [label for _, label in _samples(part)] == [4, 6, 8, 10]
