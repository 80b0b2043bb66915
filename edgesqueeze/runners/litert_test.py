import subprocess
import sys

import numpy as np
import pytest

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert
from edgesqueeze.testing.tflite_builder import GraphBuilder, tiny_cnn, tiny_two_heads

RUNS = [litert.run, litert.run_builtin, litert.run_reference]


@pytest.mark.parametrize("run", RUNS)
def test_inputs_and_outputs_are_in_graph_order(run):
    graph = GraphBuilder()
    a, b = graph.input((1, 2), "float32"), graph.input((1, 3), "float32")
    model = parse_tflite(graph.build([graph.unary("ABS", b), graph.unary("NEG", a)]))
    samples = [[np.float32([[1, -2]]), np.float32([[i, -i, 3]])] for i in range(3)]
    outputs = run(model, samples)
    assert len(outputs) == 3
    for i, (absolute, negative) in enumerate(outputs):
        np.testing.assert_array_equal(absolute, [[i, i, 3]])
        np.testing.assert_array_equal(negative, [[-1, 2]])


@pytest.mark.parametrize("run", RUNS)
def test_dtypes_are_the_tensors(run):
    model = parse_tflite(tiny_two_heads())
    ((scores, value),) = run(model, [[np.zeros((1, 8), np.int8), np.zeros((1, 6), np.int8)]])
    assert (scores.dtype, value.dtype) == (np.int8, np.float32)


def test_no_samples_no_outputs():
    assert litert.run(parse_tflite(tiny_cnn()), []) == []


def test_a_model_that_litert_refuses():
    graph = GraphBuilder()
    x = graph.input((1, 2), "float32")
    y = graph.tensor((1, 2), "float32")
    graph.op("CUSTOM", [x], [y], custom_name="Unheard")
    with pytest.raises(UnsupportedModelError, match="Unheard"):
        litert.run(parse_tflite(graph.build([y])), [[np.zeros((1, 2), np.float32)]])


def test_the_terminal_stays_quiet():
    code = (
        "import numpy as np\n"
        "from edgesqueeze.graph import parse_tflite\n"
        "from edgesqueeze.runners import litert\n"
        "from edgesqueeze.testing.tflite_builder import tiny_cnn\n"
        "litert.run(parse_tflite(tiny_cnn()), [[np.zeros((1, 8, 8, 1), np.int8)]])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
