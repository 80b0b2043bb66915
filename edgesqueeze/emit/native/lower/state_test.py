"""State in native C: compared with TensorFlow Lite Micro over long sequences, and what is copied."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import Lowered, lower
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.runners import host_c, qemu, tflm
from edgesqueeze.target.processor import Processor
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.streaming import Streams, handle, streaming_cnn, streaming_gate
from runtime_tests.support.tools import require_tool

STEPS = 120
MODELS = {
    "cnn": streaming_cnn,
    "many rows": lambda: streaming_cnn(1, rows=9),
    "gate": streaming_gate,
    "gate, given": lambda: streaming_gate(given=True),
}


def steps_of(model, count=STEPS, seed=0):
    """A walk, so that what came before matters."""
    rng = np.random.default_rng(seed)
    (shape,) = [tensor.shape for tensor in model.main.input_tensors]
    walk = np.cumsum(rng.normal(0, 20, (count, *shape)), axis=0) % 400 - 200
    return [[np.clip(row, -128, 127).astype(np.int8)] for row in walk]


def assert_equal(got, expected, distinct=10):
    different = {b"".join(one.tobytes() for one in row) for row in expected}
    assert len(different) >= distinct, "outputs that tell nothing"
    for number, (one, other) in enumerate(zip(got, expected, strict=True)):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"inference {number}")


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_long_sequences_equal_tflm_under_sanitizers(name, sequence):
    model = parse_tflite(MODELS[name]())
    samples = steps_of(model)
    program = host_c.host_program(emit_native(model), sanitize=True)
    expected = tflm.run(model, samples, carry_state=sequence)
    distinct = 10 if sequence else 1
    assert_equal(program.run(samples, sequence=sequence), expected, distinct)
    assert_equal(host_c.run(model, samples, carry_state=sequence), expected, distinct)


@pytest.mark.parametrize("core", PROCESSORS)
@pytest.mark.parametrize("name", ["cnn", "gate"])
def test_long_sequences_on_each_core_equal_tflm(core, name):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = parse_tflite(MODELS[name]())
    samples = steps_of(model)
    got = qemu.runner(PROCESSORS[core], True)(model, samples)
    assert_equal(got, tflm.run(model, samples, carry_state=True))
    apart = qemu.runner(PROCESSORS[core], False)(model, samples[:50])
    assert_equal(apart, tflm.run(model, samples[:50], carry_state=False), 2)


def lowered(content, kernel_set="reference"):
    result = lower(parse_tflite(content), kernel_set)
    assert isinstance(result, Lowered), result
    return result


def copied(result):
    """Opcodes of the layers that copy, and how many bytes."""
    calls = [(layer.opcode, call) for layer in result.layers for call in layer.calls]
    sizes = {
        call: np.prod(call.parameters.members["size"]) for _, call in calls if call.function == "es_copy_s8"
    }
    return [(opcode, int(sizes[call])) for opcode, call in calls if call in sizes]


def test_of_rows_that_are_kept_only_the_assignment_is_a_copy():
    result = lowered(streaming_cnn())
    kept = [4 * 12, 7 * 12, 11 * 16, 4 * 20]
    # More rows are new than kept in the first block: old and new are copied together, the rest is in place.
    first = [("CONCATENATION", 16), ("CONCATENATION", 24), ("STRIDED_SLICE", 16)]
    assert copied(result) == [*first, *(("ASSIGN_VARIABLE", size) for size in kept)]
    assert sum(state.first.bytes for state in result.states) == 16 + sum(kept)


def test_a_value_is_computed_where_the_variable_lies():
    assert copied(lowered(streaming_gate())) == []


def test_what_the_caller_gets_is_not_the_variable():
    result = lowered(streaming_gate(given=True))
    assert copied(result) == [("ASSIGN_VARIABLE", 16)]


def test_a_whole_that_the_caller_gets_is_copied_and_stays():
    model = parse_tflite(streaming_cnn())
    whole = next(op.outputs[0] for op in model.main.operators[::-1] if op.opcode == "CONCATENATION")
    model = with_outputs(model, [model.main.outputs[0], whole])
    samples = steps_of(model, 30)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples, sequence=True)
    assert_equal(got, tflm.run(model, samples, carry_state=True))


def assigned_twice():
    """The variable is read, assigned, read again, and assigned again."""
    graph = GraphBuilder(5)
    streams = Streams(graph)
    x = graph.input((1, 4))
    variable = streams.variable("v", np.zeros((1, 4), np.int8))
    values = []
    for _ in range(2):
        old = streams.read(variable, x, (1, 4))
        new = graph.like(x, (1, 4))
        graph.op("ADD", [old, x], [new], fusedActivationFunction="NONE", potScaleInt16=False)
        streams.assign(variable, new)
        values += [old, graph.fully_connected(new, 3)]
    return graph.build(values)


def test_reads_between_assignments_see_the_last_one():
    model = parse_tflite(assigned_twice())
    samples = [[np.array([[1, -2, 3, 4]], np.int8)]] * 5
    samples += steps_of(model, STEPS)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples, sequence=True)
    assert_equal(got, tflm.run(model, samples, carry_state=True))
    assert [kind for kind, _ in copied(lowered(assigned_twice()))].count("READ_VARIABLE") == 2


def refusals(graph, *outputs):
    result = lower(parse_tflite(graph.build(list(outputs))), "reference")
    assert isinstance(result, Refused)
    return [str(one) for one in result.refusals]


def test_a_variable_that_nothing_was_assigned_to_is_refused():
    graph = GraphBuilder()
    streams = Streams(graph)
    x = graph.input((1, 4))
    old = streams.read(streams.variable("v", None), x, (1, 4))
    (reason,) = refusals(graph, graph.fully_connected(graph.add(old, x), 2))
    assert reason == "READ_VARIABLE (operator 2): a variable is read before anything is assigned to it"


def test_variables_of_another_type_are_refused():
    graph = GraphBuilder()
    streams = Streams(graph)
    x = graph.input((1, 4))
    variable = streams.variable("v", np.zeros((1, 4), np.int8))
    value = graph.tensor((1, 4), "float32")
    graph.op("READ_VARIABLE", [variable], [value])
    assert "READ_VARIABLE (operator 2): variables are float32, expected int8 or int16" in refusals(
        graph, graph.fully_connected(x, 2), value
    )


def test_a_first_graph_that_computes_is_refused():
    graph = GraphBuilder()
    streams = Streams(graph)
    x = graph.input((1, 4))
    old = streams.read(streams.variable("v", np.zeros((1, 4), np.int8)), x, (1, 4))
    value = streams.first.tensor((1, 4), "int8")
    streams.first.op("ABS", [value], [streams.first.tensor((1, 4), "int8")])
    assert refusals(graph, graph.fully_connected(graph.add(old, x), 2)) == [
        "CALL_ONCE (operator 0): the subgraph that runs once has ABS, expected assigned constants"
    ]


def test_a_handle_from_outside_is_refused():
    graph = GraphBuilder()
    x, value = graph.input((1, 4)), graph.tensor((1, 4), "int8", 0.02, 0)
    graph.op("READ_VARIABLE", [graph.tensor((), "resource")], [value])
    found = refusals(graph, graph.fully_connected(graph.add(value, x), 2))
    assert "READ_VARIABLE (operator 0): names no variable of this graph" in found


def test_the_header_says_how_to_start_again():
    source = emit_native(parse_tflite(streaming_cnn(), "words"))
    header, code = source.files["words.h"], source.files["words.c"]
    assert "void words_reset(const words_model *model);" in header
    assert f"#define WORDS_STATE_BYTES {source.state_bytes}u" in header
    assert "one after the other in the same arena" not in header
    assert code.count("memcpy(model->arena") == 4  # values that differ
    assert code.count("memset(model->arena") == 1
    plain = emit_native(parse_tflite(GraphBuilderModel.content, "plain"))
    assert "reset" not in plain.files["plain.h"] + plain.files["plain.c"]


class GraphBuilderModel:
    """A model without state."""

    graph = GraphBuilder()
    content = graph.build([graph.fully_connected(graph.input((1, 4)), 2)])


def test_two_variables_of_one_name_are_one():
    graph = GraphBuilder(2)
    streams = Streams(graph)
    x = graph.input((1, 4))
    start = np.array([[1, 2, 3, 4]], np.int8)
    old = streams.read(streams.variable("v", start), x, (1, 4))
    new = graph.like(x, (1, 4))
    graph.op("ADD", [old, x], [new], fusedActivationFunction="NONE", potScaleInt16=False)
    streams.assign(handle(graph, "v"), new)
    model = parse_tflite(graph.build([graph.fully_connected(new, 3)]))
    assert len(lower(model, "reference").states) == 1
    samples = steps_of(model, 40)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples, sequence=True)
    assert_equal(got, tflm.run(model, samples, carry_state=True))


def test_processors_are_those_of_every_kernel_set():
    sets = {
        emit_native(parse_tflite(streaming_cnn()), core=one.kernel_core).kernel_set
        for one in PROCESSORS.values()
    }
    assert sets == {"reference", "dsp", "mve"}
    assert all(isinstance(one, Processor) for one in PROCESSORS.values())
