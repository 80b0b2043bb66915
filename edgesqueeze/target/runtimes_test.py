from __future__ import annotations

import importlib.util

import pytest

from edgesqueeze.target.runtimes import (
    LITERT_OPERATORS,
    OPERATOR_SETS,
    TFLM_CUSTOM_METHODS,
    TFLM_REFUSED_TYPES,
    TFLM_RESOLVER_METHODS,
    refusal,
)
from runtime_tests.support.resolving import BUILTIN, resolved

needs_tflm = pytest.mark.skipif(
    not importlib.util.find_spec("tflite_micro"), reason="tflite-micro is not published for this machine"
)


@needs_tflm
def test_tflm_table_is_what_the_package_resolves() -> None:
    assert resolved("tflm") == set(TFLM_RESOLVER_METHODS)


@needs_tflm
def test_tflm_custom_operators_are_what_the_package_resolves() -> None:
    assert resolved("tflm", [*TFLM_CUSTOM_METHODS, "NoSuchOperator"]) == set(TFLM_CUSTOM_METHODS)


def test_litert_table_is_what_the_package_resolves() -> None:
    assert resolved("litert") == set(LITERT_OPERATORS)


def test_methods_look_like_the_operators() -> None:
    for name, method in TFLM_RESOLVER_METHODS.items():
        assert method.lower() == "add" + name.replace("_", "").lower()


def test_tables_name_operators_of_the_schema() -> None:
    assert set(TFLM_RESOLVER_METHODS) <= set(BUILTIN)
    assert set(BUILTIN) >= LITERT_OPERATORS
    assert set(TFLM_REFUSED_TYPES) <= set(TFLM_RESOLVER_METHODS)
    assert set(TFLM_RESOLVER_METHODS) <= LITERT_OPERATORS


@pytest.mark.parametrize(
    ("kind", "activation", "weights", "why"),
    [
        ("CONV_2D", "int8", "int8", ""),
        ("CONV_2D", "int16", "int8", ""),
        ("CONV_2D", "float32", "float32", ""),
        ("CONV_2D", "float32", "int8", "takes no int8 weights"),
        ("CONV_2D", "uint8", "uint8", "no uint8 kernel"),
        ("QUANTIZE", "uint8", "", ""),
        ("HARD_SWISH", "int16", "", "no int16 kernel"),
        ("GELU", "", "", "has no operator GELU"),
        ("TFLM_DECODE", "int8", "", ""),
    ],
)
def test_refusal(kind: str, activation: str, weights: str, why: str) -> None:
    reason = refusal(OPERATOR_SETS["tflm"], kind, activation, weights)
    assert why in reason
    assert bool(why) == bool(reason)
