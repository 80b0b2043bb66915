import numpy as np
import pytest

from edgesqueeze.base.npz import load_npz
from edgesqueeze.errors import DataError

X, Y = np.arange(24.0).reshape(6, 4), np.arange(6)
TWO = ("image", "meta")


def _save(tmp_path, **arrays):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("keys", "has_test", "has_labels"),
    [
        (("x_train", "y_train", "x_test", "y_test"), True, True),
        (("x_train", "y_train", "x_val", "y_val"), True, True),
        (("train_images", "train_labels", "test_images", "test_labels"), True, True),
        (("train_images", "train_labels", "val_images", "val_labels"), True, True),
        (("x", "y"), False, True),
        (("X", "y"), False, True),
        (("x",), False, False),
        (("x_train", "y_train"), False, True),
        (("x_test", "y_test"), False, True),
        (("x_train", "x_test"), True, False),
    ],
)
def test_key_names_that_people_use(tmp_path, keys, has_test, has_labels):
    arrays = {key: Y if key[0] == "y" or "labels" in key else X for key in keys}
    data = load_npz(_save(tmp_path, **arrays))
    splits = [data.train, *([data.test] if has_test else [])]
    assert (data.test is not None) == has_test
    for split in splits:
        assert split.count == 6
        np.testing.assert_array_equal(split.inputs[0], X)
        assert (split.labels is not None) == has_labels
        if has_labels:
            np.testing.assert_array_equal(split.labels[0], Y)


def test_the_test_split_of_medmnist_comes_before_its_validation_split(tmp_path):
    data = load_npz(_save(tmp_path, train_images=X, val_images=X + 1, test_images=X + 2))
    np.testing.assert_array_equal(data.test.inputs[0], X + 2)


def test_several_inputs_and_outputs_by_name(tmp_path):
    arrays = {"x_train/image": X, "x_train/meta": X + 1, "y_train/age": Y, "x_test/meta": X[:2]}
    path = _save(tmp_path, **arrays, **{"x_test/image": X[:2] + 3})
    data = load_npz(path, TWO, ("sex", "age"))
    np.testing.assert_array_equal(data.train.inputs[1], X + 1)
    np.testing.assert_array_equal(data.test.inputs[0], X[:2] + 3)
    assert data.train.labels[0] is None
    np.testing.assert_array_equal(data.train.labels[1], Y)
    assert data.test.labels is None


def test_arrays_called_like_the_inputs(tmp_path):
    data = load_npz(_save(tmp_path, meta=X + 1, image=X), TWO)
    np.testing.assert_array_equal(data.train.inputs[1], X + 1)
    assert data.test is None


def test_a_single_input_may_have_its_name(tmp_path):
    data = load_npz(_save(tmp_path, **{"x_train/image": X}), ("image",))
    np.testing.assert_array_equal(data.train.inputs[0], X)


def test_a_bare_npy_file_is_inputs_without_labels(tmp_path):
    np.save(tmp_path / "x.npy", X)
    data = load_npz(tmp_path / "x.npy")
    np.testing.assert_array_equal(data.train.inputs[0], X)
    assert data.train.labels is None


@pytest.mark.parametrize(
    ("arrays", "inputs", "message"),
    [
        ({"pictures": X}, ("",), "no key that is known"),
        ({"x_train/image": X}, TWO, "lacks data for the input 'meta'"),
        ({"image": X}, TWO, "no key that is known"),
        ({"x": X, "y": Y[:5]}, ("",), "differ in length"),
        ({"x_train/image": X, "x_train/meta": X[:3]}, TWO, "differ in length"),
        ({"x": X[:0]}, ("",), "is empty"),
        ({"x": np.float32(3)}, ("",), "is empty"),
        ({"x": X, "y": Y[:0]}, ("",), "is empty"),
    ],
)
def test_what_does_not_fit_is_an_error(tmp_path, arrays, inputs, message):
    with pytest.raises(DataError, match=message):
        load_npz(_save(tmp_path, **arrays), inputs)


def test_an_unknown_key_is_answered_with_what_there_is_and_what_is_known(tmp_path):
    with pytest.raises(DataError) as caught:
        load_npz(_save(tmp_path, pictures=X, classes=Y))
    assert caught.value.got == "classes, pictures"
    assert "x_train/y_train" in caught.value.expected


def test_pickled_objects_are_refused_unloaded(tmp_path):
    class Mine:
        def __reduce__(self):
            return (pytest.fail, ("code from the file ran",))

    path = tmp_path / "objects.npz"
    np.savez(path, x=np.array([Mine(), None], dtype=object))
    with pytest.raises(DataError, match=r"cannot read objects\.npz") as caught:
        load_npz(path)
    assert "would run code" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"some text", b"\x93NUMPY\x01"])
def test_a_damaged_file_is_an_error(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read data\.npz"):
        load_npz(path)


def test_a_truncated_file_is_an_error(tmp_path):
    path = _save(tmp_path, x=X)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError):
        load_npz(path)


@pytest.mark.parametrize("place", [500, 2000, 4000])
@pytest.mark.parametrize("byte", [0, 255])
def test_a_corrupt_member_is_an_error(tmp_path, place, byte):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).normal(size=1000).round(1))
    content = bytearray(path.read_bytes())
    place = min(place, len(content) // 2)
    content[place : place + 20] = bytes([byte] * 20)
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_npz(path)


def test_a_header_that_claims_more_than_there_is_is_an_error(tmp_path):
    np.save(tmp_path / "x.npy", X)
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content.replace(b"(6, 4)", b"(6, 4" + b"0" * 12 + b")", 1))
    with pytest.raises(DataError):
        load_npz(tmp_path / "x.npy")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        load_npz(tmp_path / "nothing.npz")


def test_what_to_do_about_a_file_depends_on_what_it_is(tmp_path):
    (tmp_path / "data.csv").write_text("1,2\n3,4\n")
    np.savez(tmp_path / "objects.npz", x=np.array([None], object))
    for name, said in (("data.csv", "numpy.savez"), ("objects.npz", "Python objects are refused")):
        with pytest.raises(DataError) as caught:
            load_npz(tmp_path / name)
        assert said in caught.value.hint
