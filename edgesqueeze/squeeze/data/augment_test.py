import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.squeeze.data.augment import (
    BRIGHTEST,
    FARTHEST,
    MOST_MIXED,
    NOISIEST,
    WIDEST,
    augmenter,
    widener,
)

IMAGES = np.random.default_rng(0).uniform(0, 255, (40, 20, 10, 1)).astype(np.float32)


def _model(*shapes, dtype="float32"):
    inputs = [tf_keras.Input(shape, dtype=dtype) for shape in shapes]
    return tf_keras.Model(inputs, inputs)


def _augmented(*wanted, seed=(0, 1)):
    (found,) = augmenter(_model((20, 10, 1)), wanted)((IMAGES,), np.array(seed, np.int32))
    return np.asarray(found)


def test_some_images_are_turned_and_the_others_stay():
    turned = [
        np.array_equal(one, image[:, ::-1]) for one, image in zip(_augmented("flip"), IMAGES, strict=True)
    ]
    same = [np.array_equal(one, image) for one, image in zip(_augmented("flip"), IMAGES, strict=True)]
    assert all(one != other for one, other in zip(turned, same, strict=True))
    assert 10 < sum(turned) < 30


def test_images_are_moved_and_the_edge_is_repeated():
    found = set()
    for one, image in zip(_augmented("shift"), IMAGES, strict=True):
        moves = [
            (down, right)
            for down in (-2, -1, 0, 1, 2)
            for right in (-1, 0, 1)
            if np.array_equal(
                one, image[np.clip(np.arange(20) + down, 0, 19)][:, np.clip(np.arange(10) + right, 0, 9)]
            )
        ]
        assert len(moves) == 1
        found |= set(moves)
    assert FARTHEST == 0.1
    assert len(found) > 8


def test_images_get_lighter_and_darker_within_the_range_of_the_batch():
    found = _augmented("brightness")
    low, high = IMAGES.min(), IMAGES.max()
    assert found.min() >= low
    assert found.max() <= high
    change = np.median(found - IMAGES, axis=(1, 2, 3)) / (high - low)
    assert change.min() < -0.4 * BRIGHTEST
    assert change.max() > 0.4 * BRIGHTEST
    assert np.abs(change).max() <= BRIGHTEST + 1e-6


def test_the_seed_decides():
    every = ("flip", "shift", "brightness")
    np.testing.assert_array_equal(_augmented(*every), _augmented(*every))
    assert not np.array_equal(_augmented(*every), _augmented(*every, seed=(0, 2)))


def test_nothing_is_done_unasked():
    np.testing.assert_array_equal(_augmented(), IMAGES)


def test_inputs_that_are_no_images_stay():
    numbers = np.ones((40, 3), np.float32)
    model = _model((3,), (20, 10, 1))
    found = augmenter(model, ("brightness",))((numbers, IMAGES), np.array([0, 1], np.int32))
    np.testing.assert_array_equal(found[0], numbers)
    assert not np.array_equal(found[1], IMAGES)


def test_half_of_the_samples_are_mixed_with_the_one_beside():
    model = _model((3,), (4, 2))
    rng = np.random.default_rng(0)
    given = [rng.normal(0, 1, (60, *shape)).astype(np.float32) for shape in ((3,), (4, 2))]
    found = [np.asarray(one) for one in augmenter(model, ("mix",))(given, np.array([0, 1], np.int32))]
    parts = []
    for one, values in zip(found, given, strict=True):
        beside = np.roll(values, 1, axis=0) - values
        axes = tuple(range(1, values.ndim))
        parts.append(((one - values) * beside).sum(axis=axes) / np.square(beside).sum(axis=axes))
        mixed = parts[-1].reshape(-1, *[1] * len(axes))
        np.testing.assert_allclose(one, values + mixed * beside, atol=1e-5)
    # All inputs of a sample are mixed alike.
    np.testing.assert_allclose(parts[0], parts[1], atol=1e-4)
    assert 20 < np.sum(parts[0] > 1e-4) < 40
    assert 0.3 < parts[0].max() <= MOST_MIXED + 1e-4


def test_noise_is_of_a_strength_of_its_own_in_every_sample():
    given = 100 * np.random.default_rng(0).normal(0, 1, (50, 400)).astype(np.float32)
    (found,) = augmenter(_model((400,)), ("noise",))((given,), np.array([0, 1], np.int32))
    strength = np.std(np.asarray(found) - given, axis=1) / given.std()
    assert strength.max() < 1.1 * NOISIEST
    assert strength.max() > 0.8 * NOISIEST
    assert strength.min() < 0.2 * NOISIEST
    assert np.abs(np.mean(np.asarray(found) - given)) < 0.5


@pytest.mark.parametrize("name", ["mix", "noise"])
def test_ids_can_be_neither_mixed_nor_noisy(name):
    with pytest.raises(RecipeError, match=rf"finetune.augment = {name} is for real numbers"):
        augmenter(_model((3,), dtype="int32"), (name,))


@pytest.mark.parametrize(
    ("shape", "dtype"), [((20, 10), "float32"), ((20, 10, 7), "float32"), ((8, 8, 3), "int32")]
)
def test_a_model_that_takes_no_images_is_refused(shape, dtype):
    with pytest.raises(RecipeError, match=r"finetune.augment = flip is for images") as caught:
        augmenter(_model(shape, dtype=dtype), ("flip", "shift"))
    assert dtype in caught.value.got


def test_inputs_that_are_real_numbers_are_widened_and_others_stay():
    x = np.random.default_rng(0).normal(0, 3, (400, 20)).astype(np.float32)
    ids = np.arange(400, dtype=np.int32)[:, None]
    model = tf_keras.Model(
        inputs := [tf_keras.Input((20,)), tf_keras.Input((1,), dtype="int32")], [inputs[0], inputs[1] + 1]
    )
    wide, same = widener(model)((x, ids), np.array((0, 1), np.int32))
    np.testing.assert_array_equal(same, ids)
    unchanged = np.mean(np.all(np.asarray(wide) == x, axis=1))
    assert 0.08 < unchanged < 0.17
    spread = np.std(np.asarray(wide) - x, axis=1) / x.std()
    assert 0.8 * WIDEST < spread.max() < 1.3 * WIDEST
