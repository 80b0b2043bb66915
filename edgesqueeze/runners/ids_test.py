import numpy as np
import pytest

from edgesqueeze.errors import DataError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners.samples import EvalData, data_samples


def _words(dtype, through=()):
    graph = GraphBuilder()
    ids = graph.input((1, 6), dtype=dtype)
    for opcode in through:
        after = graph.activation((1, 6), "int32")
        graph.op(opcode, [ids], [after])
        ids = after
    table = graph.constant(np.zeros((20, 4), np.float32))
    words = graph.activation((1, 6, 4), "float32")
    graph.op("GATHER", [table, ids], [words], axis=0)
    return parse_tflite(graph.build([words]))


@pytest.mark.parametrize(
    ("dtype", "through"), [("int32", ()), ("float32", ("CAST",)), ("int32", ("RESHAPE", "SQUEEZE"))]
)
def test_ids_that_a_table_does_not_have_are_an_error_of_the_data(dtype, through):
    model = _words(dtype, through)
    ids = np.arange(120).reshape(20, 6) % 20
    assert len(data_samples(model, EvalData((ids.astype(dtype),)))) == 20
    for wrong in (20, -1):
        bad = np.where(ids == 17, wrong, ids).astype(dtype)
        with pytest.raises(DataError, match="that the model does not have") as caught:
            data_samples(model, EvalData((bad,)))
        assert (caught.value.expected, str(wrong) in caught.value.got) == ("0 to 19", True)


def test_numbers_that_choose_nothing_may_be_any():
    graph = GraphBuilder()
    x = graph.input((1, 6), dtype="float32")
    model = parse_tflite(graph.build([graph.quantize(x)]))
    assert len(data_samples(model, EvalData((np.full((3, 6), -99, np.float32),)))) == 3
