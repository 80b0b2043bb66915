from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edgesqueeze.errors import FitError, TargetError
from edgesqueeze.target.chosen_runtime import with_runtime
from edgesqueeze.target.fit import (
    Fit,
    MissingOperator,
    ModelNeeds,
    OperatorNeed,
    RuntimeAnswer,
    check_fit,
    raise_if_unfit,
)
from edgesqueeze.target.load import Target, list_targets, load_target
from edgesqueeze.target.runtimes import OPERATOR_SETS

KWS = (
    OperatorNeed(kind="CONV_2D", activation="int8", weights="int8", count=5),
    OperatorNeed(kind="DEPTHWISE_CONV_2D", activation="int8", weights="int8", count=4),
    OperatorNeed(kind="AVERAGE_POOL_2D", activation="int8"),
    OperatorNeed(kind="FULLY_CONNECTED", activation="int8", weights="int8"),
    OperatorNeed(kind="SOFTMAX", activation="int8"),
)


@pytest.fixture
def board() -> Target:
    return load_target("nucleo-f446re")


def needs(**changes: object) -> ModelNeeds:
    values: dict[str, object] = {
        "model_bytes": 53_736,
        "arena_bytes": 22_944,
        "arena_method": "measured by TFLM on a 64-bit host",
        "operators": KWS,
        "inputs": ("int8",),
        "outputs": ("int8",),
    }
    return ModelNeeds.model_validate({**values, **changes})


def message(fit: Fit) -> str:
    with pytest.raises(FitError) as caught:
        raise_if_unfit(fit)
    assert caught.value.exit_code == 1
    return str(caught.value)


def test_fits_with_the_numbers(board: Target) -> None:
    fit = check_fit(board, needs())
    assert fit.ok
    assert fit.findings == ()
    assert fit.ram.needed_bytes == 22_944
    assert fit.ram.available_bytes == 112 * 1024
    assert fit.ram.share_percent == 20.0
    assert "measured by TFLM" in fit.ram.method
    assert set(fit.flash.parts) == {"model", "runtime"}
    assert fit.flash.needed_bytes == sum(fit.flash.parts.values())
    assert "eight models on cortex-m4" in fit.flash.method
    assert fit.ops.verdict == "fits"
    raise_if_unfit(fit)


@pytest.mark.parametrize(
    ("types", "activation", "noted"),
    [
        (("float32",), "int8", ["inputs", "outputs"]),
        (("uint8",), "int8", ["inputs", "outputs"]),
        (("uint8",), "uint8", []),  # TensorFlow 1's quantization: uint8 throughout
        (("float32",), "float32", []),
        (("int32",), "int8", []),  # token ids, and classes that an argmax chose
        (("int64",), "int8", []),
    ],
)
def test_a_conversion_is_spared_only_where_there_is_one(
    board: Target, types: tuple[str, ...], activation: str, noted: list[str]
) -> None:
    operators = (OperatorNeed(kind="FULLY_CONNECTED", activation=activation, weights=activation),)
    fit = check_fit(board, needs(operators=operators, inputs=types, outputs=types))
    assert [one.subject for one in fit.findings if one.code == "io-type"] == noted


def test_ram_too_small(board: Target) -> None:
    fit = check_fit(board, needs(arena_bytes=120_000))
    assert (fit.ok, fit.ram.ok, fit.ram.verdict) == (False, False, "does-not-fit")
    assert fit.flash.ok
    assert "RAM: 120,000 bytes (arena 120,000) of 114,688 usable" in message(fit)


def test_flash_too_small(board: Target) -> None:
    fit = check_fit(board, needs(model_bytes=500_000))
    assert (fit.ok, fit.flash.verdict) == (False, "does-not-fit")
    assert "model 500,000 + runtime" in message(fit)


def test_estimate_at_the_edge_is_tight(board: Target) -> None:
    code = check_fit(board, needs()).flash.parts["runtime"]
    assert board.memory.usable_flash_bytes is not None
    fit = check_fit(board, needs(model_bytes=board.memory.usable_flash_bytes - code))
    assert (fit.ok, fit.flash.verdict) == (True, "tight")
    assert [finding.code for finding in fit.findings] == ["flash-tight"]
    assert not check_fit(board, needs(model_bytes=board.memory.usable_flash_bytes - code + 1)).ok


def test_built_code_replaces_the_estimate(board: Target) -> None:
    fit = check_fit(board, needs(code_bytes=10_000, code_method="linked by GCC 12.2"))
    assert fit.flash.parts == {"model": 53_736, "runtime": 10_000}
    assert fit.flash.high_bytes == fit.flash.needed_bytes
    assert fit.flash.method == "linked by GCC 12.2"


def test_missing_operator_is_named(board: Target) -> None:
    fit = check_fit(board, needs(operators=(*KWS, OperatorNeed(kind="GELU", activation="int8"))))
    assert (fit.ok, fit.ops.ok) == (False, False)
    assert [one.kind for one in fit.ops.missing] == ["GELU"]
    assert "operator GELU" in message(fit)
    assert "RAM" not in message(fit)


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (OperatorNeed(kind="CONV_2D", activation="uint8", weights="uint8"), "no uint8 kernel"),
        (OperatorNeed(kind="FULLY_CONNECTED", activation="float32", weights="int8"), "no int8 weights"),
        (OperatorNeed(kind="DEQUANTIZE", activation="float16"), "no float16 kernel"),
        (OperatorNeed(kind="MyLayer"), "has no operator MyLayer"),
    ],
)
def test_kernels_that_tflm_lacks(board: Target, operator: OperatorNeed, why: str) -> None:
    fit = check_fit(board, needs(operators=(operator,)))
    assert why in fit.ops.missing[0].reason
    ok = check_fit(load_target("rpi4"), needs(operators=(operator,))).ok
    assert ok == (operator.kind != "MyLayer")


def test_uint8_at_the_border_is_fine(board: Target) -> None:
    operators = (OperatorNeed(kind="QUANTIZE", activation="uint8"), *KWS)
    fit = check_fit(board, needs(operators=operators, inputs=("uint8",)))
    assert fit.ok
    assert [(one.code, one.severity) for one in fit.findings] == [("io-type", "note")]


@pytest.mark.parametrize("kind", ["int32", "int64", "bool"])
def test_ids_and_choices_need_no_conversion(board: Target, kind: str) -> None:
    assert check_fit(board, needs(inputs=(kind,), outputs=(kind,))).findings == ()
    mixed = check_fit(board, needs(inputs=(kind, "uint8")))
    assert [one.message.split()[0] for one in mixed.findings] == ["uint8"]


def test_custom_operator_that_tflm_has(board: Target) -> None:
    assert check_fit(board, needs(operators=(OperatorNeed(kind="TFLM_DECODE"),))).ok


def test_unknown_arena_is_not_silent(board: Target) -> None:
    fit = check_fit(board, needs(arena_bytes=None, arena_method="the TFLM interpreter is not installed"))
    assert (fit.ok, fit.ram.verdict, fit.ram.needed_bytes) == (True, "not-checked", None)
    assert "the TFLM interpreter is not installed" in fit.findings[0].message


def test_linux_checks_memory_but_not_flash() -> None:
    target = load_target("rpi-zero2w")
    fit = check_fit(target, needs(model_bytes=200 << 20, arena_bytes=60 << 20))
    assert (fit.flash.verdict, fit.flash.ok, fit.flash.available_bytes) == ("not-checked", True, None)
    assert fit.ram.parts == {"arena": 60 << 20, "model": 200 << 20}
    assert not fit.ram.ok


def test_float_on_a_core_without_fpu() -> None:
    operators = (OperatorNeed(kind="FULLY_CONNECTED", activation="float32", weights="float32"),)
    fit = check_fit(load_target("pico"), needs(operators=operators))
    assert fit.ok
    assert "float-without-fpu" in [finding.code for finding in fit.findings]


@pytest.mark.parametrize(
    ("name", "dtype", "told"),
    [("pico", "int8", False), ("pico", "float32", True), ("nucleo-f446re", "float32", False)],
)
def test_floats_are_told_where_there_is_no_fpu(name: str, dtype: str, told: bool) -> None:
    operators = (OperatorNeed(kind="FULLY_CONNECTED", activation=dtype, weights=dtype),)
    fit = check_fit(load_target(name), needs(operators=operators))
    assert ("float-without-fpu" in [finding.code for finding in fit.findings]) is told


def hint(fit: Fit) -> str:
    with pytest.raises(FitError) as caught:
        raise_if_unfit(fit)
    assert caught.value.hint is not None
    return caught.value.hint


def test_hints_are_for_what_does_not_fit(board: Target) -> None:
    strange = (*KWS, OperatorNeed(kind="GELU", activation="int8"))
    for arena, operators, words in (
        (120_000, KWS, ["quantize, prune or shrink"]),
        (1_000, strange, ["replace the layers"]),
        (120_000, strange, ["quantize, prune or shrink", "replace the layers"]),
    ):
        text = hint(check_fit(board, needs(arena_bytes=arena, operators=operators)))
        assert [part for part in ("quantize, prune or shrink", "replace the layers") if part in text] == words


def test_the_last_byte_fits(board: Target) -> None:
    available = board.memory.usable_ram_bytes
    assert available is not None
    whole = check_fit(board, needs(arena_bytes=available)).ram
    assert (whole.verdict, whole.ok, whole.share_percent) == ("fits", True, 100.0)
    more = check_fit(board, needs(arena_bytes=available + 1)).ram
    assert (more.verdict, more.ok) == ("does-not-fit", False)
    assert check_fit(board, needs(arena_bytes=57_000)).ram.share_percent == 49.7


def test_an_estimate_that_just_fits_at_worst_is_not_tight(board: Target) -> None:
    available = board.memory.usable_flash_bytes
    high = check_fit(board, needs()).flash.high_bytes
    assert available is not None and high is not None
    code = high - 53_736
    for model, verdict in ((available - code, "fits"), (available - code + 1, "tight")):
        assert check_fit(board, needs(model_bytes=model)).flash.verdict == verdict


def test_a_model_of_nothing_has_needs_too(board: Target) -> None:
    """Zero bytes are a size; fewer are a mistake."""
    fit = check_fit(board, needs(model_bytes=0, arena_bytes=0, code_bytes=0, operators=()))
    assert (fit.flash.needed_bytes, fit.ram.needed_bytes, fit.ops.needed) == (0, 0, ())
    assert fit.ram.parts == {"arena": 0}
    for name in ("model_bytes", "arena_bytes", "code_bytes", "program_bytes"):
        with pytest.raises(ValueError, match=name):
            needs(**{name: -1})
    assert RuntimeAnswer(runtime="c", available=0, method="asked").available == 0
    assert OperatorNeed(kind="ADD").count == 1
    assert OperatorNeed(kind="ADD", count=1).count == 1
    for record in ({"kind": "ADD", "count": 0}, {"runtime": "c", "available": -1, "method": "asked"}):
        with pytest.raises(ValueError, match="greater than or equal"):
            (OperatorNeed if "kind" in record else RuntimeAnswer).model_validate(record)


def test_operators_are_counted_with_the_custom_ones(board: Target) -> None:
    table = OPERATOR_SETS["tflm"]
    fit = check_fit(board, needs())
    assert fit.ops.available == len(table.builtin) + len(table.custom)
    assert table.custom
    assert table.version in fit.ops.method
    assert fit.ops.needed == tuple(sorted(operator.kind for operator in KWS))


def test_native_c(board: Target) -> None:
    fit = check_fit(board, needs(), runtime="c")
    assert (fit.ops.verdict, fit.ops.runtime) == ("not-checked", "c")
    assert fit.flash.parts == {"model": 53_736}
    assert "after a build" in fit.flash.method
    assert "fit_to" in fit.ops.method
    assert [(one.code, one.severity) for one in fit.findings] == [("operators-not-checked", "warning")]


def test_what_native_c_has_is_the_generators_to_say(board: Target) -> None:
    answer = RuntimeAnswer(
        runtime="c",
        available=37,
        missing=(MissingOperator(kind="COS", reason="operator 3: not supported"),),
        problems=("2 subgraphs: control flow",),
        method="asked",
    )
    fit = check_fit(board, needs(answer=answer), runtime="c")
    assert (fit.ok, fit.ops.ok, fit.ops.verdict) == (False, False, "does-not-fit")
    assert (fit.ops.available, fit.ops.method) == (37, "asked")
    text = message(fit)
    assert "operator COS: operator 3: not supported; 2 subgraphs: control flow" in text
    assert "choose another runtime" in text
    assert check_fit(board, needs(answer=answer)).ops.runtime == "tflm"
    assert check_fit(board, needs(answer=answer)).ok


@pytest.mark.parametrize("problems", [(), ("2 subgraphs",)])
def test_problems_alone_stop_a_model(board: Target, problems: tuple[str, ...]) -> None:
    answer = RuntimeAnswer(runtime="c", available=37, problems=problems, method="asked")
    fit = check_fit(board, needs(answer=answer), runtime="c")
    assert fit.ok == fit.ops.ok == (not problems)


def test_native_c_is_for_every_target() -> None:
    fit = check_fit(load_target("rpi4"), needs(), runtime="c")
    assert (fit.ops.runtime, fit.ops.verdict) == ("c", "not-checked")


def test_another_runtime_of_a_target_comes_first(board: Target) -> None:
    native = with_runtime(board, "c")
    assert native.runtime.name == "c"
    assert native.runtime.also[0] == "tflm"
    assert "c" not in native.runtime.also
    assert with_runtime(native, "tflm").runtime.name == "tflm"
    assert with_runtime(board, None) is board
    assert with_runtime(board, board.runtime.name) is board
    with pytest.raises(TargetError, match="does not run 'litert'"):
        with_runtime(board, "litert")


def test_a_profile_names_no_table_for_native_c(board: Target) -> None:
    runtime = board.runtime.model_copy(update={"name": "c", "also": ("tflm",)})
    native = board.model_copy(update={"runtime": runtime})
    assert native.runtime.operators == "tflm"
    assert check_fit(native, needs()).ops.verdict == "not-checked"


def test_a_model_of_unknown_size_is_not_checked(board: Target) -> None:
    for target in (board, load_target("rpi4")):
        fit = check_fit(target, needs(model_bytes=None, model_method="nothing was generated"))
        assert (fit.flash.verdict, fit.flash.method) == ("not-checked", "nothing was generated")
        assert fit.flash.needed_bytes is None
        assert fit.ram.parts == {"arena": 22_944}
    assert "size is not known" in check_fit(board, needs(model_bytes=None)).flash.method


def test_what_the_program_needs_itself_is_added(board: Target) -> None:
    fit = check_fit(board, needs(program_bytes=100))
    assert fit.ram.parts == {"arena": 22_944, "program": 100}
    assert fit.ram.needed_bytes == 23_044
    assert check_fit(board, needs(program_bytes=0)).ram.parts == {"arena": 22_944}
    with pytest.raises(ValidationError):
        needs(program_bytes=-1)


def test_runtime_that_the_target_lacks(board: Target) -> None:
    with pytest.raises(TargetError, match="does not run 'litert'"):
        check_fit(board, needs(), runtime="litert")


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_small_model_fits_every_target(target: Target) -> None:
    fit = check_fit(target, needs())
    assert fit.ok
    assert Fit.model_validate_json(fit.model_dump_json()) == fit


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    model=st.integers(0, 2**40),
    arena=st.none() | st.integers(0, 2**40),
    kinds=st.lists(st.sampled_from(["CONV_2D", "ADD", "GELU", "x"]), max_size=4),
    name=st.sampled_from(["pico", "nucleo-f446re", "corstone-300", "rpi4", "android-low"]),
)
def test_verdicts_agree(model: int, arena: int | None, kinds: list[str], name: str) -> None:
    operators = tuple(OperatorNeed(kind=kind) for kind in kinds)
    fit = check_fit(load_target(name), needs(model_bytes=model, arena_bytes=arena, operators=operators))
    assert fit.ok == (fit.flash.ok and fit.ram.ok and fit.ops.ok)
    for part in (fit.flash, fit.ram):
        assert part.ok == (part.verdict != "does-not-fit")
        if part.verdict in ("fits", "tight"):
            assert part.needed_bytes is not None and part.available_bytes is not None
            assert part.needed_bytes <= part.available_bytes
    if fit.ok:
        raise_if_unfit(fit)
    else:
        assert fit.target in message(fit)
