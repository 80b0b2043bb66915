import itertools
import sys
import tracemalloc
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from PIL import Image

from edgesqueeze.errors import DataError, RecipeError
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.load import Data, from_object, load_data
from runtime_tests.support.tiny_keras import images, source_of

layers = tf_keras.layers
PLAIN = DataOptions()
X, Y = images(30), np.arange(30) % 4


def _classifier(shape=(8, 8, 3), classes=4):
    image = tf_keras.Input(shape, name="image")
    return tf_keras.Model(image, layers.Dense(classes, name="out")(layers.Flatten()(image)))


def _two_by_two():
    a, b = tf_keras.Input((2,), name="a"), tf_keras.Input((3,), name="b")
    x = layers.Concatenate()([b, a])
    return tf_keras.Model([b, a], [layers.Dense(2, name="one")(x), layers.Dense(1, name="two")(x)])


@pytest.fixture(scope="module")
def model():
    return _classifier()


def _rows(source, batch=7, seed=None):
    """All samples of a source: per input, and per label."""
    batches = list(source.stream(batch, seed).as_numpy_iterator())
    inputs = [np.concatenate(parts) for parts in zip(*(one for one, _ in batches), strict=True)]
    labels = [np.concatenate(parts) for parts in zip(*(one for _, one in batches), strict=True)]
    assert all(len(part) == source.count for part in (*inputs, *labels))
    return inputs, labels


def _codes(data: Data):
    return [finding.code for finding in data.findings]


# npz and arrays


def test_an_npz_with_both_splits(tmp_path, model):
    np.savez(tmp_path / "d.npz", x_train=X, y_train=Y, x_test=X[:5] + 1, y_test=Y[:5])
    data = load_data(tmp_path / "d.npz", model, PLAIN, 0)
    assert data.description == "d.npz"
    (x,), (y,) = _rows(data.train)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(_rows(data.test)[0][0], X[:5] + 1)
    assert not data.findings


def test_medmnist_keys_with_labels_in_a_column_and_bytes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    labels = (np.arange(20) % 4)[:, None]
    arrays = {"train_images": pixels, "train_labels": labels, "test_images": pixels, "test_labels": labels}
    np.savez(tmp_path / "d.npz", **arrays)
    data = load_data(
        str(tmp_path / "d.npz"), _classifier((8, 8, 1)), DataOptions(scale=1 / 255, offset=-0.5), 0
    )
    (x,), (y,) = _rows(data.train)
    assert x.shape == (20, 8, 8, 1)
    np.testing.assert_allclose(x[..., 0], pixels / 255 - 0.5, atol=1e-6)
    np.testing.assert_array_equal(y, labels)
    assert _codes(data) == ["reshaped", "reshaped"]


def test_without_a_test_split_samples_are_held_out_by_the_seed(model):
    parts = []
    for seed in (0, 0, 1):
        data = load_data((X, Y), model, PLAIN, seed)
        assert _codes(data) == ["held-out"]
        train, test = _rows(data.train), _rows(data.test)
        assert (data.train.count, data.test.count) == (24, 6)
        together = np.concatenate([train[0][0], test[0][0]])
        assert {row.tobytes() for row in together} == {row.tobytes() for row in X}
        for x, y in zip(train[0][0], train[1][0], strict=True):
            assert (X[y::4] == x).all(axis=(1, 2, 3)).any()
        parts.append(test[0][0])
    np.testing.assert_array_equal(parts[0], parts[1])
    assert not np.array_equal(parts[0], parts[2])


def test_inputs_alone_are_unlabelled(model):
    data = load_data(X, model, PLAIN, 0)
    assert not data.train.labelled
    assert not data.test.labelled
    inputs, labels = _rows(data.train)
    assert len(inputs) == 1
    assert labels == []


def test_one_sample_is_both_trained_on_and_judged_by(model):
    data = load_data(X[:1], model, PLAIN, 0)
    assert data.train.count == data.test.count == 1


@pytest.mark.parametrize("kind", ["npz", "dictionary"])
def test_several_inputs_and_outputs_go_where_their_names_say(tmp_path, kind):
    rng = np.random.default_rng(0)
    a, b, one, two = (
        rng.normal(size=(20, 2)),
        rng.normal(size=(20, 3)),
        np.arange(20) % 2,
        rng.normal(size=20),
    )
    given = ({"a": a, "b": b}, (one, two))
    if kind == "npz":
        given = tmp_path / "d.npz"
        np.savez(given, **{"x_train/a": a, "x_train/b": b, "y_train/one": one, "y_train/two": two})
    data = load_data(given, _two_by_two(), PLAIN, 0)
    inputs, labels = _rows(data.train)
    assert [part.shape for part in inputs] == [(16, 3), (16, 2)]
    kept = [int(np.argmin(np.abs(b - row).sum(axis=1))) for row in inputs[0]]
    np.testing.assert_allclose(inputs[1], a[kept], rtol=1e-6)
    np.testing.assert_array_equal(labels[0], one[kept])
    np.testing.assert_array_equal(labels[1], two[kept])


def test_labels_of_some_outputs_only_are_not_used_and_a_finding_says_so(tmp_path):
    np.savez(tmp_path / "d.npz", **{"x/a": X[:, 0, 0, :2], "x/b": X[:, 0, 0], "y/one": Y % 2})
    data = load_data(tmp_path / "d.npz", _two_by_two(), PLAIN, 0)
    assert not data.train.labelled
    assert "labels-ignored" in _codes(data)


def test_shuffling_is_seeded_and_new_on_every_pass(model):
    source = load_data((X, Y), model, PLAIN, 0).train
    first, again = _rows(source, seed=3)[0][0], _rows(source, seed=3)[0][0]
    np.testing.assert_array_equal(first, again)
    twice = np.concatenate([one[0] for one, _ in source.stream(24, 3).repeat(2).as_numpy_iterator()])
    assert not np.array_equal(twice[:24], twice[24:])
    assert {row.tobytes() for row in twice[:24]} == {row.tobytes() for row in twice[24:]}


def test_arrays_are_not_copied_as_a_whole(model):
    large = np.zeros((20_000, 8, 8, 3), np.uint8)
    large[:, 0] = 1
    tracemalloc.start()
    try:
        data = load_data(large, model, DataOptions(scale=0.5), 0)
        for _ in data.train.stream(32, 0).take(20).as_numpy_iterator():
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # As float32 they would take four times their own size.
    assert peak < large.nbytes / 2


def test_integer_inputs_stay_integers():
    words = tf_keras.Input((6,), name="words", dtype="int32")
    model = tf_keras.Model(words, layers.Embedding(10, 3)(words))
    x = np.random.default_rng(0).integers(0, 10, (12, 6))
    (found,), _ = _rows(load_data(x, model, DataOptions(scale=0.5), 0).train)
    assert found.dtype == np.int32
    assert set(np.unique(found)) <= set(np.unique(x))
    with pytest.raises(DataError, match="takes int32"):
        load_data(x + 0.5, model, PLAIN, 0)


def _with(value, place=(17, 2, 3, 1)):
    x = X.copy()
    x[place] = value
    return x


@pytest.mark.parametrize(
    ("data", "message", "got"),
    [
        (X[:, :7], r"does not fit the model's input 'image'", r"shape \[30, 7, 8, 3\]"),
        (X.reshape(30, -1), "does not fit", "192"),
        (_with(np.nan), "NaN or infinity for 'image'", "sample 17"),
        (_with(-np.inf), "NaN or infinity", "sample 17"),
        (np.full_like(X, 3), "constant: every value of 'image' is 3", ""),
        (X[:0], "is empty", ""),
        (np.float32(1), "does not give what the model takes", r"\[\]"),
        ((X, Y[:-1]), "29 labels for 30 samples", ""),
        ((X, Y + 1), "classes that the output 'out' does not have", "1 to 4"),
        ((X, Y - 1), "classes that the output", "-1 to 2"),
        ((X, Y + 0.5), "labels do not match the model's output 'out'", "float64"),
        ((X, np.eye(5)[Y]), "labels do not match", r"\[30, 5\]"),
        ((X, np.full(30, np.nan)), "hold NaN or infinity", ""),
        ((X, Y.astype(str)), "are not numbers", "<U"),
        (X.astype(str), "values for 'image'", ""),
        ({"picture": X}, "lacks data for the input 'image'", "picture"),
        (((X, Y), (X[:, :7], Y)), "does not fit", ""),
        (((X, Y), (_with(np.nan), Y)), "NaN", "sample 17"),
    ],
)
def test_data_that_do_not_fit_the_model_are_errors(model, data, message, got):
    import re

    with pytest.raises(DataError, match=message) as caught:
        load_data(data, model, PLAIN, 0)
    assert re.search(got, caught.value.got)
    assert caught.value.expected


def test_too_few_inputs_are_an_error():
    with pytest.raises(DataError, match="does not give what the model takes"):
        load_data([X[:, 0, 0]], _two_by_two(), PLAIN, 0)


def test_one_hot_rows_and_values_are_labels_too(model):
    data = load_data((X, np.eye(4)[Y]), model, PLAIN, 0)
    assert _rows(data.train)[1][0].shape == (24, 4)


@pytest.mark.parametrize("name", ["nothing.npz", "nothing", "nowhere/x.npz"])
def test_a_missing_file_is_an_error(tmp_path, model, name):
    with pytest.raises(DataError, match=r"there (is|are) no"):
        load_data(tmp_path / name, model, PLAIN, 0)


def test_a_file_of_another_kind_is_an_error(tmp_path, model):
    (tmp_path / "data.csv").write_text("1,2\n")
    with pytest.raises(DataError, match=r"cannot read data\.csv"):
        load_data(tmp_path / "data.csv", model, PLAIN, 0)


# Folders of images


def _folder(root, classes=("cat", "dog"), count=6, size=(8, 8), suffix="png"):
    rng = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 100, (*size, 3), dtype=np.uint8) + 100 * number
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{index}.{suffix}")
    return root


def test_a_folder_with_one_subfolder_per_class(tmp_path, model):
    data = load_data(_folder(tmp_path / "pets"), model, DataOptions(scale=1 / 100), 0)
    assert data.description == "images in pets"
    assert data.class_names == ("cat", "dog")
    assert (data.train.count, data.test.count) == (10, 2)
    assert _codes(data) == ["held-out"]
    (x,), (y,) = _rows(data.train)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(y, x.mean(axis=(1, 2, 3)) > 1)
    path = tmp_path / "pets" / "cat" / "0.png"
    everything = np.concatenate([x, _rows(data.test)[0][0]])
    wanted = np.asarray(Image.open(path), np.float32) / 100
    assert (np.abs(everything - wanted).max(axis=(1, 2, 3)) < 1e-5).any()


@pytest.mark.parametrize("name", ["test", "val", "validation"])
def test_train_and_test_subfolders(tmp_path, model, name):
    _folder(tmp_path / "train", ("a", "b", "c"), 4)
    _folder(tmp_path / name, ("a", "b", "c"), 2)
    data = load_data(tmp_path, model, PLAIN, 0)
    assert (data.train.count, data.test.count) == (12, 6)
    assert data.class_names == ("a", "b", "c")
    assert not data.findings


def test_images_are_resized_and_made_gray(tmp_path):
    _folder(tmp_path, size=(20, 13), suffix="jpg")
    (x,), _ = _rows(load_data(tmp_path, _classifier((8, 8, 1)), PLAIN, 0).train)
    assert x.shape == (10, 8, 8, 1)
    assert 30 < x.mean() < 200


def test_more_classes_than_outputs_are_counted_before_any_label_is_looked_at(tmp_path):
    _folder(tmp_path, ("a", "b", "c"))
    with pytest.raises(DataError, match="more classes than the model") as caught:
        load_data(tmp_path, _classifier(classes=2), PLAIN, 0)
    assert "a, b, c" in caught.value.got


@pytest.mark.parametrize("content", [b"no image", b""])
@pytest.mark.parametrize("folder", ["train", "test"])
def test_a_file_that_is_no_image_is_named(tmp_path, model, content, folder):
    for part in ("train", "test"):
        _folder(tmp_path / part)
    (tmp_path / folder / "dog" / "3.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"{folder}/dog/3\.png is not an image"):
        load_data(tmp_path, model, PLAIN, 0)


def test_images_that_cannot_be_decoded_are_an_error(tmp_path, model):
    _folder(tmp_path)
    for file in (tmp_path / "cat").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DataError, match="cannot be read"):
        load_data(tmp_path, model, PLAIN, 0)


def test_a_folder_without_images_is_an_error(tmp_path, model):
    with pytest.raises(DataError, match="there are no images"):
        load_data(tmp_path, model, PLAIN, 0)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("")
    with pytest.raises(DataError, match="there are no images") as caught:
        load_data(tmp_path, model, PLAIN, 0)
    assert caught.value.got == "1 subfolders"


def test_a_model_that_takes_no_image_cannot_use_a_folder(tmp_path):
    with pytest.raises(DataError, match="does not take one image"):
        load_data(_folder(tmp_path / "pets"), _two_by_two(), PLAIN, 0)


# Python objects and callables


def _dataset(batch=None, labelled=True, named=False):
    x = {"image": X} if named else X
    dataset = tf.data.Dataset.from_tensor_slices((x, Y) if labelled else x)
    return dataset.batch(batch) if batch else dataset


@pytest.mark.parametrize("batch", [None, 7])
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_data_set_of_samples_or_batches(model, batch, labelled, named):
    data = load_data(_dataset(batch, labelled, named), model, DataOptions(scale=2.0), 0)
    assert data.train.labelled == labelled
    assert data.train.count == 30
    inputs, labels = _rows(data.train)
    np.testing.assert_allclose(inputs[0], X * 2, rtol=1e-6)
    assert len(labels) == labelled
    assert _codes(data) == ["judged-on-training-data"]
    shuffled = _rows(data.train, seed=1)[0][0]
    assert not np.array_equal(shuffled, inputs[0])
    np.testing.assert_array_equal(np.sort(shuffled, axis=None), np.sort(inputs[0], axis=None))


def test_a_pair_of_data_sets_is_for_training_and_testing(model):
    data = load_data((_dataset(7), _dataset().take(4)), model, PLAIN, 0)
    assert (data.train.count, data.test.count) == (30, 4)
    assert not data.findings


def test_a_data_set_of_unknown_length_is_counted(model):
    data = load_data(_dataset().filter(lambda x, y: y < 3), model, PLAIN, 0)
    assert data.train.count == int((Y < 3).sum())


def _bad_stream():
    def generate():
        yield from zip(_with(np.nan), Y, strict=True)

    return tf.data.Dataset.from_generator(
        generate,
        output_signature=(tf.TensorSpec((8, 8, 3)), tf.TensorSpec((), tf.int64)),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _dataset().repeat(), "never ends"),
        (lambda: _dataset().take(0), "is empty"),
        (lambda: _dataset().map(lambda x, y: (x[:7], y)), "does not give what the model takes"),
        (lambda: _dataset().map(lambda x, y: ((x, x), y)), "does not give what the model takes"),
        (lambda: _dataset().map(lambda x, y: ({"picture": x}, y)), "lacks data for the input 'image'"),
        (lambda: _dataset().map(lambda x, y: (x, y + 1)), "classes that the output"),
        (_bad_stream, "NaN"),
    ],
)
def test_data_sets_that_do_not_fit_are_errors(model, make, message):
    with pytest.raises(DataError, match=message):
        load_data(make(), model, PLAIN, 0)


def test_a_callable_by_name(monkeypatch, model):
    mine = types.ModuleType("my_data")
    mine.load = lambda: ((X, Y), (X[:5], Y[:5]))
    mine.arrays = (X, Y)
    mine.broken = lambda: X[:0]
    monkeypatch.setitem(sys.modules, "my_data", mine)
    data = load_data("my_data:load", model, PLAIN, 0)
    assert data.description == "my_data:load"
    assert (data.train.count, data.test.count) == (30, 5)
    assert load_data("my_data:arrays", model, PLAIN, 0).train.count == 24
    with pytest.raises(DataError, match="my_data:broken is empty"):
        load_data("my_data:broken", model, PLAIN, 0)


def test_a_callable_in_the_folder_where_the_command_is_run(tmp_path, monkeypatch, model):
    (tmp_path / "data_here_for_a_test.py").write_text(
        "import numpy as np\ndef load():\n    return np.random.default_rng(0).normal(size=(20, 8, 8, 3))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_data("data_here_for_a_test:load", model, PLAIN, 0).train.count == 16


@pytest.mark.parametrize("name", ["no_such_module_here:load", "math:no_such_name", ":x"])
def test_a_callable_that_cannot_be_imported_is_an_error(model, name):
    with pytest.raises(DataError, match="cannot import"):
        load_data(name, model, PLAIN, 0)


def test_something_else_is_an_error(model):
    with pytest.raises(DataError):
        load_data(None, model, PLAIN, 0)


def test_the_batch_size_is_what_was_asked_for(model):
    sizes = [len(one[0]) for one, _ in source_of(model, X).stream(8, None).as_numpy_iterator()]
    assert sizes == [8, 8, 8, 6]


def test_training_data_need_no_labels_when_the_test_data_have_some(model):
    images = np.random.default_rng(0).random((20, 8, 8, 3), np.float32)
    classes = np.arange(20) % 3
    data = from_object(((images, None), (images, classes)), model, PLAIN, 0, "mixed")
    assert not data.train.labelled
    assert data.test.labelled
    assert not [one for one in data.findings if one.code == "labels-ignored"]


PER_CHANNEL = DataOptions(scale=(2.0, 0.5, -1.0), offset=(0.0, 1.0, 3.0))


@pytest.mark.parametrize("kind", ["arrays", "data set", "images"])
def test_a_scale_and_an_offset_for_each_channel(tmp_path, model, kind):
    if kind == "images":
        _write_images(tmp_path, 2)
        given = tmp_path
    else:
        given = (X, Y) if kind == "arrays" else tf.data.Dataset.from_tensor_slices((X, Y))
    plain = _rows(load_data(given, model, PLAIN, 0).train)[0][0]
    scaled = _rows(load_data(given, model, PER_CHANNEL, 0).train)[0][0]
    np.testing.assert_allclose(scaled, plain * np.float32([2, 0.5, -1]) + np.float32([0, 1, 3]), rtol=1e-5)


def _write_images(folder, count):
    rng = np.random.default_rng(0)
    for name in "abcd":
        (folder / name).mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def test_scales_of_other_channels_than_there_are_are_refused(model):
    with pytest.raises(RecipeError, match="scale does not fit the input 'image'") as caught:
        load_data(X, model, DataOptions(scale=(1.0, 2.0)), 0)
    assert "or 3: one for each" in caught.value.expected
    assert load_data(X, model, DataOptions(scale=(2.0,)), 0).train.count == 24


# --- what people have besides arrays: it must give what the same arrays give ------------------------------


class _Sequence(keras.utils.PyDataset):
    """Batches of seven; an index beyond the end still gives one, as in many of them."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = parts

    def __len__(self):
        return -(-len(X) // 7)

    def __getitem__(self, index):
        rows = slice(index * 7, index * 7 + 7)
        return tuple(part[rows] for part in self.parts)


def _batches(*parts, size=7):
    for start in range(0, len(X), size):
        found = tuple(part[start : start + size] for part in parts)
        yield found if len(found) > 1 else found[0]


def _representative():
    for row in X:
        yield [row[None]]


WEIGHTS = np.ones(len(X), np.float32)
WITH_LABELS = {
    "generator of batches": lambda: _batches(X, Y),
    "generator of samples": lambda: iter(zip(X, Y, strict=True)),
    "generator with weights": lambda: _batches(X, Y, WEIGHTS),
    "function that makes one": lambda: lambda: _batches(X, Y),
    "list of pairs": lambda: list(zip(X, Y, strict=True)),
    "list of batches": lambda: list(_batches(X, Y)),
    "PyDataset": lambda: _Sequence(X, Y),
    "arrays with weights": lambda: (X, Y, WEIGHTS),
    "lists": lambda: (list(X), list(Y)),
    "labels in a list": lambda: (X, [Y]),
    "labels by name": lambda: (X, {"out": Y}),
}
WITHOUT = {
    "representative_dataset": lambda: _representative,
    "its generator": lambda: _representative(),
    "generator of batches": lambda: _batches(X),
    "list of samples": lambda: list(X),
    "PyDataset": lambda: _Sequence(X),
}


@pytest.mark.parametrize("kind", WITH_LABELS)
def test_what_gives_samples_with_labels_is_as_good_as_arrays(model, kind):
    _same(load_data(WITH_LABELS[kind](), model, PLAIN, 0), load_data((X, Y), model, PLAIN, 0), kind)


@pytest.mark.parametrize("kind", WITHOUT)
def test_what_gives_samples_is_as_good_as_arrays(model, kind):
    _same(load_data(WITHOUT[kind](), model, PLAIN, 0), load_data(X, model, PLAIN, 0), kind)


def _same(found, expected, kind):
    for one, other in ((found.train, expected.train), (found.test, expected.test)):
        assert (one.count, one.labelled) == (other.count, other.labelled)
        for left, right in zip(_rows(one), _rows(other), strict=True):
            for a, b in zip(left, right, strict=True):
                np.testing.assert_array_equal(a, b)
    extra = ["weights-unused"] if "weights" in kind else []
    assert _codes(found) == [*extra, "held-out"]


@pytest.mark.parametrize("kind", ["arrays", "data sets", "generators"])
def test_three_parts_are_for_training_validation_and_testing(model, kind):
    cuts = [slice(0, 20), slice(20, 24), slice(24, 30)]
    parts = {
        "arrays": lambda cut: (X[cut], Y[cut]),
        "data sets": lambda cut: tf.data.Dataset.from_tensor_slices((X[cut], Y[cut])),
        "generators": lambda cut: iter([(X[cut], Y[cut])]),
    }[kind]
    data = load_data(tuple(parts(cut) for cut in cuts), model, PLAIN, 0)
    assert (data.train.count, data.test.count) == (20, 6)
    np.testing.assert_array_equal(_rows(data.test)[0][0], X[24:].astype(np.float32))
    assert _codes(data) == ["validation-unused"]


def test_several_inputs_and_outputs_from_a_generator():
    a, b = tf_keras.Input((3,), name="a"), tf_keras.Input((2,), name="b")
    outputs = [tf_keras.layers.Dense(1, name="z")(a), tf_keras.layers.Dense(2, name="y")(b)]
    model = tf_keras.Model([a, b], outputs)
    rng = np.random.default_rng(0)
    first, second = rng.random((20, 3)), rng.random((20, 2))
    z, y = rng.random((20, 1)), rng.random((20, 2))
    kinds = [
        [({"a": first[i], "b": second[i]}, {"y": y[i], "z": z[i]}) for i in range(20)],
        [((first[:9], second[:9]), (z[:9], y[:9])), ((first[9:], second[9:]), (z[9:], y[9:]))],
        tf.data.Dataset.from_tensor_slices(({"a": first, "b": second}, {"y": y, "z": z})),
    ]
    for given in kinds:
        data = load_data(given, model, PLAIN, 0)
        assert data.train.labelled
        (_, inputs), (labels, _) = _rows(data.train)[0], _rows(data.train)[1]
        assert inputs.shape[1:] == (2,)
        assert labels.shape[1:] == (1,)
    only = load_data([[first[i : i + 1], second[i : i + 1]] for i in range(20)], model, PLAIN, 0)
    assert (only.train.count + only.test.count, only.train.labelled) == (20, False)


def test_a_data_set_with_weights_keeps_its_labels(model):
    dataset = tf.data.Dataset.from_tensor_slices((X, Y, WEIGHTS)).batch(7)
    data = load_data(dataset, model, PLAIN, 0)
    assert data.train.labelled
    np.testing.assert_array_equal(_rows(data.train)[1][0], Y)
    assert _codes(data) == ["weights-unused", "judged-on-training-data"]


@pytest.mark.parametrize("batch", [None, 7])
def test_a_data_set_that_declares_no_shapes(model, batch):
    def generate():
        yield from zip(X, Y, strict=True) if batch is None else _batches(X, Y)

    dataset = tf.data.Dataset.from_generator(generate, (tf.float32, tf.int64))
    data = load_data(dataset, model, PLAIN, 0)
    assert (data.train.count, data.train.labelled) == (30, True)
    np.testing.assert_allclose(_rows(data.train)[0][0], X, rtol=1e-6)
    np.testing.assert_array_equal(_rows(data.train)[1][0], Y)


@pytest.mark.parametrize("batch", [None, 7])
def test_a_data_set_without_the_channel_axis(batch):
    image = tf_keras.Input((8, 8, 1), name="image")
    gray = tf_keras.Model(image, tf_keras.layers.Dense(4)(tf_keras.layers.Flatten()(image)))
    dataset = tf.data.Dataset.from_tensor_slices(X[..., 0])
    data = load_data(dataset.batch(batch) if batch else dataset, gray, PLAIN, 0)
    assert data.train.count == 30
    np.testing.assert_allclose(_rows(data.train)[0][0], X[..., :1], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: iter(()), "gives no samples"),
        (lambda: iter([X[:, :5]]), "does not give what the model takes"),
        (lambda: iter([(X, Y), X]), "labels for some of its samples only"),
        (lambda: [(X, {"other": Y})], "lacks labels for the output 'out'"),
        (lambda: itertools.repeat(X), "never ends"),
        (lambda: 3, "does not give what the model takes"),
        (lambda: None, "does not give what the model takes"),
        (lambda: (None, Y), "does not give what the model takes"),
        (lambda: X[:0], "is empty"),
    ],
)
def test_what_is_no_data_is_refused_in_one_sentence(model, monkeypatch, make, message):
    monkeypatch.setattr("edgesqueeze.squeeze.data.items.MAX_BYTES", 10 * X.nbytes)
    with pytest.raises(DataError, match=message):
        load_data(make(), model, PLAIN, 0)
