"""Ids in the data, and the tables of the model that have them."""

import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import DataError
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.data.load import load_data

layers = tf_keras.layers
PLAIN = DataOptions()


def _words(dtype, *between):
    x = ids = tf_keras.Input((6,), name="ids", dtype=dtype)
    for layer in between:
        x = layer(x)
    x = layers.Flatten()(layers.Embedding(20, 4, name="words")(x))
    return tf_keras.Model(ids, layers.Dense(3)(x))


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("wrong", [20, -1])
def test_ids_that_an_embedding_does_not_have_are_an_error_of_the_data(dtype, wrong):
    ids = np.arange(120).reshape(20, 6) % 20
    model = _words(dtype)
    assert load_data(((ids, None), (ids[:5], None)), model, PLAIN, 0).test.count == 5
    bad = ids.copy()
    bad[17, 3] = wrong
    for given in (((bad, None), (ids, None)), ((ids, None), (bad, None))):
        with pytest.raises(DataError, match="ids for 'ids' that the layer 'words' does not have") as caught:
            load_data(given, model, PLAIN, 0)
        assert (caught.value.expected, str(wrong) in caught.value.got) == ("0 to 19", True)
    if dtype == "float32":
        load_data(ids * 2, model, DataOptions(scale=0.5), 0)


def test_ids_behind_other_layers_are_an_error_of_the_data():
    model = _words("int32", layers.Reshape((6,)))
    with (
        pytest.raises(DataError, match="an id that a table of the model does not have") as caught,
        readable_samples(),
    ):
        model(np.full((1, 6), 21))
    assert "21 is not in [0, 20)" in caught.value.got
