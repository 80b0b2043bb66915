"""The table of lowerings names operators that exist, each with a function of its own kind."""

import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.emit.native.lower import border, pool
from edgesqueeze.emit.native.lower.table import ENTRY, EXIT, LOWERINGS, OPERATORS

SHARED = {
    "lower_alias": ["EXPAND_DIMS", "RESHAPE", "SQUEEZE"],
    "lower_concatenation": ["CONCATENATION", "PACK"],
    "lower_pad": ["PAD", "PADV2"],
    "lower_split": ["SPLIT", "SPLIT_V", "UNPACK"],
}
NAMED_OTHERWISE = {"lower_conv2d": ["CONV_2D"], "lower_depthwise_conv2d": ["DEPTHWISE_CONV_2D"]}
WINDOWS = {"lower_average_pool": ["AVERAGE_POOL_2D"], "lower_max_pool": ["MAX_POOL_2D"]}


def test_every_operator_is_one_of_the_schema():
    assert all(hasattr(schema.BuiltinOperator, opcode) for opcode in OPERATORS)
    assert list(OPERATORS) == sorted(
        {*LOWERINGS, "QUANTIZE", "DEQUANTIZE", "CALL_ONCE", "VAR_HANDLE", "ARG_MAX", "ARG_MIN"}
    )


@pytest.mark.parametrize("opcode", LOWERINGS)
def test_the_function_is_called_after_its_operators(opcode):
    name = LOWERINGS[opcode].__name__
    several = SHARED | NAMED_OTHERWISE | WINDOWS
    assert opcode in several.get(name, [name.removeprefix("lower_").upper()])
    assert LOWERINGS[opcode].__doc__


def test_conversions_at_the_border_have_tables_of_their_own():
    assert dict(ENTRY) == {"QUANTIZE": border.lower_quantize_input}
    numbers = dict.fromkeys(["DEQUANTIZE", "QUANTIZE"], border.lower_dequantize_output)
    assert dict(EXIT) == numbers | {"ARG_MAX": pool.lower_arg_max, "ARG_MIN": pool.lower_arg_min}
