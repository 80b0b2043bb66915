import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.repack import pack
from edgesqueeze.runners import litert
from edgesqueeze.runners.exchange import run_elsewhere
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads

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
        "from runtime_tests.support.tflite_builder import tiny_cnn\n"
        "litert.run(parse_tflite(tiny_cnn()), [[np.zeros((1, 8, 8, 1), np.int8)]])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("dtype", "scales"), [("int16", (1e-5, 1.0)), ("int16", (0.1, 0.0)), ("int8", (1e-7, 1.0))]
)
def test_sums_on_which_litert_aborts_are_refused(dtype, scales):
    graph = GraphBuilder()
    graph_input = graph.input((1, 4), dtype)
    content = graph.build([graph.add(graph_input, graph_input)])
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (operator,) = model.subgraphs[0].operators
    for index, scale in zip((operator.outputs[0], operator.inputs[1]), scales, strict=True):
        model.subgraphs[0].tensors[index].quantization.scale = np.float32([scale])
    model = parse_tflite(pack(model, len(content)))
    with pytest.raises(UnsupportedModelError, match=r"operator 0 \(ADD\) makes values of a scale of"):
        litert.run(model, [[np.zeros((1, 4), dtype)]])


def test_a_crash_of_the_reference_kernels_is_an_error_and_not_the_end(monkeypatch):
    model = parse_tflite(tiny_cnn())
    samples = data_samples(model, random_data(model, 2))
    assert len(litert.run_reference(model, samples)) == 2
    # What the kernels do on a softmax whose input scale is too small for their fixed-point arithmetic.
    crash = ["/bin/sh", "-c", "echo 'check failed' >&2; kill -ABRT $$"]
    monkeypatch.setattr(litert, "run_elsewhere", lambda command, *rest: run_elsewhere(crash, *rest))
    with pytest.raises(UnsupportedModelError, match=r"signal 6 after saying: check failed"):
        litert.run_reference(model, samples)
