"""Which functions a generated model has, which layers each runs, and how kernels are called."""

from dataclasses import replace

from edgesqueeze.emit.native.constants import collect
from edgesqueeze.emit.native.functions import functions_of
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.plan import plan
from edgesqueeze.emit.native.ports import ports_of
from edgesqueeze.emit.native.program import Build, Program
from edgesqueeze.emit.native.symbols import parameters_name
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads


def program(content, kernel_set="reference"):
    model = parse_tflite(content, "tiny")
    lowered = lower(model, kernel_set)
    return Program(
        model,
        "tiny",
        Build("a board", kernel_set, "", ""),
        lowered,
        plan(lowered, kernel_set),
        collect(lowered.layers, "tiny_data"),
        *ports_of(lowered.graph),
    )


def functions(content):
    return {one.signature: one for one in functions_of(program(content))}


def test_int8_lies_in_the_arena():
    found = functions(tiny_cnn())
    assert list(found) == [
        "int8_t *tiny_input(const tiny_model *model)",
        "void tiny_invoke(const tiny_model *model)",
        "const int8_t *tiny_output(const tiny_model *model)",
    ]
    first, middle, last = found.values()
    assert (first.steps, first.value, first.uses_arena) == ((), "arena + TENSOR_0", True)
    assert last.value.startswith("arena + TENSOR_")
    assert middle.value == ""
    assert [step.index for step in middle.steps] == list(range(6))


def test_values_of_the_caller_are_converted_by_functions_of_their_own():
    found = functions(tiny_cnn(io="float32"))
    assert list(found) == [
        "void tiny_set_input(const tiny_model *model, const float *values)",
        "void tiny_invoke(const tiny_model *model)",
        "void tiny_get_output(const tiny_model *model, float *values)",
    ]
    first, middle, last = found.values()
    assert first.steps[0].calls[0].text == ("es_quantize_f32(&quantize_0, values, arena + TENSOR_1)")
    assert first.steps[0].comment.startswith("0  QUANTIZE  8x8x1  ")
    call = last.steps[0].calls[0].text
    assert call.startswith("es_dequantize_f32(&dequantize_7, arena + TENSOR_")
    assert call.endswith(", values)")
    assert [step.index for step in middle.steps] == [1, 2, 3, 4, 5, 6]
    assert not any("values" in call.text for step in middle.steps for call in step.calls)


def test_several_inputs_and_outputs_are_numbered():
    signatures = list(functions(tiny_two_heads()))
    assert signatures == [
        "int8_t *tiny_input_0(const tiny_model *model)",
        "int8_t *tiny_input_1(const tiny_model *model)",
        "void tiny_invoke(const tiny_model *model)",
        "const int8_t *tiny_output_0(const tiny_model *model)",
        "void tiny_get_output_1(const tiny_model *model, float *values)",
    ]


def test_an_input_that_several_layers_convert_is_read_by_all():
    graph = GraphBuilder()
    x = graph.input((1, 8), "float32")
    one, other = graph.quantize(x), graph.quantize(x, real_range=3.0)
    setter = functions(graph.build([graph.add(one, other)]))[
        "void tiny_set_input(const tiny_model *model, const float *values)"
    ]
    assert [step.index for step in setter.steps] == [0, 1]


def test_inputs_that_no_layer_reads():
    graph = GraphBuilder()
    graph.input((1, 8), "float32")
    x = graph.input((1, 8))
    found = functions(graph.build([graph.softmax(x)]))
    unread = found["void tiny_set_input_0(const tiny_model *model, const float *values)"]
    assert (unread.steps, unread.uses_arena, unread.value) == ((), False, "")
    assert found["int8_t *tiny_input_1(const tiny_model *model)"].value == "arena + TENSOR_1"


def test_a_tensor_without_a_place_is_at_the_arenas_start():
    graph = GraphBuilder()
    source = program(graph.build([graph.softmax(graph.input((1, 8)))]))
    nowhere = replace(source, plan=replace(source.plan, offsets={}))
    assert [one.value for one in functions_of(nowhere)] == ["arena", "", "arena"]


def test_scratch_memory_is_the_last_argument():
    graph = GraphBuilder()
    source = program(graph.build([graph.conv2d(graph.input((1, 4, 4, 8)), 4)]))
    (step,) = functions_of(source)[1].steps
    assert step.calls[0].text == (
        "es_conv2d_s8(&conv_2d_0, arena + TENSOR_0, arena + TENSOR_3, arena + SCRATCH_0)"
    )


def test_kernels_without_need_of_scratch_memory_get_none():
    graph = GraphBuilder()
    x = graph.input((1, 300))
    source = program(graph.build([graph.fully_connected(x, 4)]), "dsp")
    (step,) = functions_of(source)[1].steps
    assert step.calls[0].text.endswith(", 0)")
    assert source.plan.scratch == {}


def test_constants_are_named_and_several_calls_have_several_parameters():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 4, 4, 2)), 3, activation="RELU")
    source = program(graph.build([x]))
    (layer,) = source.lowered.layers
    assert [parameters_name(layer, position) for position in (0, 1)] == ["conv_2d_0", "conv_2d_0_1"]
    (step,) = functions_of(source)[1].steps
    assert step.calls[1].text == "es_clamp_s8(&conv_2d_0_1, arena + TENSOR_3, arena + TENSOR_3)"


def test_long_names_are_cut():
    graph = GraphBuilder()
    x = graph.fully_connected(graph.input((1, 8)), 4, name="n" * 61)
    (step,) = functions_of(program(graph.build([x])))[1].steps
    assert step.comment == f"0  FULLY_CONNECTED  8->4  {'n' * 60}"
