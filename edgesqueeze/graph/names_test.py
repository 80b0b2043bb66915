import numpy as np
import pytest

from edgesqueeze.graph import NO_TENSOR, parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.names import is_generic
from edgesqueeze.graph.repack import renamed
from edgesqueeze.graph.stats import weight_stats


def _dense(weights, bias="", output="net/dense/MatMul;net/dense/BiasAdd"):
    graph = GraphBuilder()
    x = graph.input((1, 4))
    kernel = graph.tensor((3, 4), "int8", 0.1, 0, data=np.ones((3, 4), np.int8), name=weights)
    added = graph.tensor((3,), "int32", 0.1, 0, data=np.ones(3, np.int32), name=bias) if bias else NO_TENSOR
    y = graph.tensor((1, 3), "int8", 0.1, 0, name=output)
    graph.op("FULLY_CONNECTED", [x, kernel, added], [y])
    return graph.build([y])


@pytest.mark.parametrize(
    "name", ["arith.constant", "arith.constant121", "tfl.pseudo_qconst3", "Const_2", "17", ""]
)
def test_names_that_tell_nothing(name):
    assert is_generic(name)


@pytest.mark.parametrize("name", ["dense/kernel", "constants", "arith.constant/MatMul", "lstm1", "w"])
def test_names_that_tell_something(name):
    assert not is_generic(name)


def test_a_constant_without_a_name_is_called_after_what_reads_it():
    names = [one.name for one in weight_stats(parse_tflite(_dense("arith.constant1", "arith.constant")))]
    assert names == ["net/dense/MatMul/weights", "net/dense/MatMul/bias"]


def test_a_name_of_its_own_stays():
    assert [one.name for one in weight_stats(parse_tflite(_dense("lstm/kernel")))] == ["lstm/kernel"]


def test_where_no_name_tells_anything_it_stays():
    assert [one.name for one in weight_stats(parse_tflite(_dense("17", output="18")))] == ["17"]


def test_renaming_changes_nothing_else():
    before = parse_tflite(_dense("arith.constant1"))
    place = next(one.index for one in before.main.tensors if one.name == "arith.constant1")
    after = parse_tflite(renamed(before.content, {(0, place): "lstm/kernel/forget"}))
    assert after.main.tensors[place].name == "lstm/kernel/forget"
    for one, other in zip(before.main.tensors, after.main.tensors, strict=True):
        assert one.index == place or one.name == other.name
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert (one.data is None) == (other.data is None)
        assert one.data is None or np.array_equal(one.data, other.data)
