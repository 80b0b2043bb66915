"""Data from the user's own code that fails."""

import sys

import pytest
import tf_keras

from edgesqueeze.base.custom_objects import import_objects
from edgesqueeze.errors import DataError, UsageError
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.load import load_data

PLAIN = DataOptions()


@pytest.fixture(scope="module")
def model():
    image = tf_keras.Input((8, 8, 3), name="image")
    return tf_keras.Model(image, tf_keras.layers.Flatten()(image))


FAILING = """
import numpy as np
import tensorflow as tf

X = np.zeros((8, 8, 3), np.float32)

def never():
    raise OSError("the disk is gone")

def half():
    yield X
    raise RuntimeError("half way\\nand more")

def lazily():
    return map(lambda place: X[place].no, range(3))

def streamed():
    return tf.data.Dataset.from_generator(half, output_signature=tf.TensorSpec((8, 8, 3), tf.float32))
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("never", "failed: OSError: the disk is gone"),
        ("half", "failed: RuntimeError: half way\n"),
        ("lazily", "failed: AttributeError: "),
        ("streamed", "cannot be read"),
    ],
)
def test_what_the_users_own_code_raises_is_an_error_of_theirs(tmp_path, monkeypatch, model, name, message):
    (tmp_path / "failing_for_a_test.py").write_text(FAILING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(DataError, match=f"failing_for_a_test:{name} {message}") as caught:
        load_data(f"failing_for_a_test:{name}", model, PLAIN, 0)
    assert name == "streamed" or "failing_for_a_test.py, line " in caught.value.got


def test_a_module_that_fails_when_it_is_imported_is_an_error_of_theirs(tmp_path, monkeypatch, model):
    (tmp_path / "broken_for_a_test.py").write_text("import numpy\nnumpy.no_such_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(DataError, match="cannot import broken_for_a_test:load: "):
        load_data("broken_for_a_test:load", model, PLAIN, 0)
    (tmp_path / "divides_for_a_test.py").write_text("1/0\n")
    with pytest.raises(DataError, match="cannot import divides_for_a_test:load: ZeroDivisionError"):
        load_data("divides_for_a_test:load", model, PLAIN, 0)
    with pytest.raises(UsageError, match="cannot import divides_for_a_test:load: ZeroDivisionError"):
        import_objects(["divides_for_a_test:load"])
