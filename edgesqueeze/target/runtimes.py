"""What each runtime can execute: the table of operators per runtime.

Sources:

- TensorFlow Lite Micro: method names from ``tensorflow/lite/micro/micro_mutable_op_resolver.h`` of
  tensorflow/tflite-micro; ``AddReduceAll``, ``AddDynamicUpdateSlice`` and ``AddDecode``, which are younger
  than the header that was read, from code that calls them. The set was then compared, operator by
  operator, with the resolver of the tflite-micro package 0.dev20261023 (g8f6596d): exactly these builtin
  operators are registered there, and ``runtimes_test.py`` repeats the comparison.
- Refused element types: 56 common operators were run by that package, with its reference kernels, once
  per type; others are not judged by type.
- LiteRT: each builtin operator of the schema was given to the resolver of ai-edge-litert 2.3 (without
  delegates); the ones that it resolves are listed. ``runtimes_test.py`` repeats that too.

What an operator refuses beyond its element type (ranks, broadcasting, attributes) is not in a table; the
runtime's own answer in ``edgesqueeze verify`` settles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.target.runtimes_data import (
    LITERT_OPERATORS,
    TFLM_CUSTOM_METHODS,
    TFLM_NO_HYBRID,
    TFLM_NPU_METHODS,
    TFLM_REFUSED_TYPES,
    TFLM_RESOLVER_METHODS,
)

if TYPE_CHECKING:
    from edgesqueeze.graph import TfliteModel

__all__ = [
    "LITERT_OPERATORS",
    "OPERATOR_SETS",
    "RUNTIMES",
    "TFLM_CUSTOM_METHODS",
    "TFLM_NPU_METHODS",
    "TFLM_REFUSED_TYPES",
    "TFLM_RESOLVER_METHODS",
    "OperatorSet",
    "check_tflm_operators",
    "missing_tflm_operators",
    "refusal",
]


class OperatorSet(NamedTuple):
    """The operators of one runtime.

    Attributes:
        name: what a profile's ``runtime.operators`` says.
        version: the release that the set was taken from.
        builtin: builtin operator names of the schema.
        custom: names of custom operators.
        refused_types: builtin operator -> element types that it does not take.
        no_hybrid: operators that do not take float input with weights of another type.
    """

    name: str
    version: str
    builtin: frozenset[str]
    custom: frozenset[str]
    refused_types: Mapping[str, frozenset[str]]
    no_hybrid: frozenset[str]


OPERATOR_SETS: Mapping[str, OperatorSet] = MappingProxyType(
    {
        "tflm": OperatorSet(
            name="tflm",
            version="tflite-micro 0.dev20261023",
            builtin=frozenset(TFLM_RESOLVER_METHODS),
            custom=frozenset(TFLM_CUSTOM_METHODS),
            refused_types=TFLM_REFUSED_TYPES,
            no_hybrid=TFLM_NO_HYBRID,
        ),
        "litert": OperatorSet(
            name="litert",
            version="ai-edge-litert 2.3",
            builtin=LITERT_OPERATORS,
            custom=frozenset({"TFLite_Detection_PostProcess"}),
            refused_types=MappingProxyType({}),
            no_hybrid=frozenset(),
        ),
    }
)
"""Operator sets by the name that a profile's ``runtime.operators`` gives."""

RUNTIMES: tuple[str, ...] = ("tflm", "litert", "tflite-runtime", "c")
"""Names that a profile's ``runtime.name`` and ``runtime.also`` may give."""


def refusal(operators: OperatorSet, kind: str, activation: str = "", weights: str = "") -> str:
    """Why a runtime does not execute an operator; empty if it does.

    Args:
        operators: the runtime's set.
        kind: builtin operator name, or a custom operator's own name.
        activation: element type of the operator's first computed input, as NumPy calls it; empty: any.
        weights: element type of its constant weights; empty where there are none.
    """
    # Here, so that profiles alone are read without the parser of models.
    from edgesqueeze.graph.npu import NPUS

    if kind in NPUS:
        return f"{kind} is a program for {NPUS[kind]}; {operators.version} has it only with such a processor"
    if kind not in operators.builtin and kind not in operators.custom:
        return f"{operators.version} has no operator {kind}"
    if activation in operators.refused_types.get(kind, frozenset()):
        return f"{operators.version} has no {activation} kernel for {kind}"
    if kind in operators.no_hybrid and activation == "float32" and weights not in ("", "float32"):
        return f"{operators.version} takes no {weights} weights with float32 input in {kind}"
    return ""


def check_tflm_operators(model: TfliteModel, *, npus: bool = False) -> None:
    """Raise ``UnsupportedModelError`` that names all operators which TFLM does not have.

    Args:
        model: any model.
        npus: whether programs for a neural processor count as operators, as on a device that has one.
    """
    custom = {*TFLM_CUSTOM_METHODS, *(TFLM_NPU_METHODS if npus else ())}
    missing = sorted(
        {
            operator.kind
            for operator in model.operators
            if operator.kind not in (custom if operator.opcode == "CUSTOM" else TFLM_RESOLVER_METHODS)
        }
    )
    if missing:
        raise missing_tflm_operators(model, missing)


def missing_tflm_operators(model: TfliteModel, missing: Sequence[str]) -> UnsupportedModelError:
    """The error that names operators which TFLM does not have."""
    from edgesqueeze.graph.npu import npu_of

    npu = npu_of(model)
    if npu:
        return UnsupportedModelError(
            f"{model.name} was compiled for {npu}, which this computer does not have",
            expected="operators of MicroMutableOpResolver",
            got=", ".join(missing),
            hint="take the .tflite that the compiler was given, or run it on the device",
        )
    return UnsupportedModelError(
        f"{model.name} uses operators that TFLite Micro does not have",
        expected="operators of MicroMutableOpResolver",
        got=", ".join(missing),
        hint="replace the layers that become these operators, or run the model in LiteRT",
    )
