import pytest

from edgesqueeze.emit.native.code_size import estimate_native_code
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.for_target import emit_for, native_needs, try_for
from edgesqueeze.emit.native.lower.table import OPERATORS
from edgesqueeze.emit.native.records import NativeSource, Refusal, Refused
from edgesqueeze.errors import FitError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.load import load_target
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense

BOARD = load_target("nucleo-l4r5zi")
TINY = parse_tflite(tiny_cnn(), "tiny")
REAL = parse_tflite(tiny_dense(dtype="float32"), "wide")


def small(**memory):
    return BOARD.model_copy(update={"memory": BOARD.memory.model_copy(update=memory)})


def test_the_cores_kernels_and_flags_are_taken():
    source = emit_for(TINY, BOARD, name="door")
    assert (source.name, source.kernel_set) == ("door", "dsp")
    assert "-mcpu=cortex-m4" in source.files["Makefile"]
    assert BOARD.title in source.files["Makefile"]


def test_a_computer_gets_portable_c():
    source = emit_for(TINY, load_target("rpi4"))
    assert source.kernel_set == "reference"
    assert "arm-none-eabi" not in source.files["Makefile"]


def test_a_name_that_c_does_not_take_is_wrong_use():
    with pytest.raises(UsageError, match="cannot be a name in C"):
        emit_for(TINY, BOARD, name="while")


def test_needs_are_the_constants_and_the_arena_of_the_generated_code():
    source = emit_native(TINY, core="cortex-m4")
    needs = native_needs(TINY, source, BOARD)
    assert (needs.model_bytes, needs.arena_bytes) == (source.weights_bytes, source.arena_bytes)
    assert needs.model_bytes < len(TINY.content)
    code = estimate_native_code(source, "cortex-m4")
    assert (needs.code_bytes, needs.code_high_bytes, needs.program_bytes) == (
        code.code_bytes,
        code.high_bytes,
        0,
    )
    assert (needs.model_method, needs.arena_method) == ("", "planned when the C was generated")
    assert (needs.answer.runtime, needs.answer.available) == ("c", len(OPERATORS))
    assert (needs.answer.missing, needs.answer.problems) == ((), ())
    fit = check_fit(BOARD, needs, "c")
    assert (fit.ok, fit.ops.verdict, fit.ops.available) == (True, "fits", len(OPERATORS))
    assert fit.flash.parts == {"model": source.weights_bytes, "runtime": code.code_bytes}
    assert fit.flash.high_bytes == source.weights_bytes + code.high_bytes
    assert fit.ram.parts == {"arena": source.arena_bytes}


def test_what_was_compiled_counts_too():
    source = emit_native(TINY, core="cortex-m4")
    needs = native_needs(TINY, source, BOARD, code_bytes=1000, code_method="as compiled", program_bytes=300)
    fit = check_fit(BOARD, needs, "c")
    assert (fit.flash.parts["runtime"], fit.flash.method) == (1000, "as compiled")
    assert fit.ram.parts == {"arena": source.arena_bytes, "program": 300}


@pytest.mark.parametrize("part", ["flash", "RAM"])
def test_one_byte_too_little_is_too_little(part):
    source = emit_for(TINY, BOARD)
    field, size = (
        ("usable_flash_bytes", source.weights_bytes)
        if part == "flash"
        else ("usable_ram_bytes", source.arena_bytes)
    )
    assert emit_for(TINY, small(**{field: size})) == source
    with pytest.raises(FitError) as caught:
        emit_for(TINY, small(**{field: size - 1}))
    assert caught.value.exit_code == 1
    assert f"{part}: {size:,} bytes" in caught.value.got


def test_a_refusal_is_a_failed_fit_with_its_reasons():
    made = try_for(REAL, BOARD)
    assert isinstance(made, Refused)
    needs = native_needs(REAL, made, BOARD)
    assert needs.model_method == needs.arena_method == "no C was generated"
    fit = check_fit(BOARD, native_needs(REAL, made, BOARD), "c")
    assert (fit.ok, fit.ops.verdict, fit.flash.verdict, fit.ram.verdict) == (
        False,
        "does-not-fit",
        "not-checked",
        "not-checked",
    )
    assert [(one.kind, one.reason) for one in fit.ops.missing] == [
        ("FULLY_CONNECTED", "operator 0: input_0 is float32, expected int8 (1 more of this kind)")
    ]
    assert fit.ops.problems == ()
    with pytest.raises(FitError) as caught:
        emit_for(REAL, BOARD)
    assert caught.value.exit_code == 1
    assert "operator FULLY_CONNECTED: operator 0: input_0 is float32" in caught.value.got
    assert "choose another runtime" in caught.value.hint


def test_operators_that_c_lacks_are_counted_by_kind():
    graph = GraphBuilder()
    x = graph.input((1, 4, 4, 2))
    for kind in ("COS", "FLOOR", "COS", "COS"):
        y = graph.tensor((1, 4, 4, 2), "int8", 0.1, 0)
        graph.op(kind, [x], [y])
        x = y
    model = parse_tflite(graph.build([x]))
    fit = check_fit(BOARD, native_needs(model, try_for(model, BOARD), BOARD), "c")
    assert [(one.kind, one.reason) for one in fit.ops.missing] == [
        ("COS", "operator 0: native C does not have it (2 more of this kind)"),
        ("FLOOR", "operator 1: native C does not have it"),
    ]
    assert fit.ops.problems == ()


def test_try_for_does_not_ask_whether_it_fits():
    assert isinstance(try_for(TINY, small(usable_flash_bytes=1)), NativeSource)


def test_refusals_as_text():
    assert str(Refusal("two subgraphs")) == "two subgraphs"
    assert str(Refusal("not supported", "COS", 3)) == "COS (operator 3): not supported"
