"""LiteRT on this machine, with each of its three sets of kernels.

``xnnpack`` is what an application gets by default: float and int8 operators go to the XNNPACK delegate.
``builtin`` is LiteRT's own optimised kernels, for builds without XNNPACK. ``reference`` is its portable
reference kernels: slow, and closest to what TFLM computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.quiet import quiet
from edgesqueeze.base.worker import module_command
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.affine import is_quantized
from edgesqueeze.graph.axes import with_valid_axes
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners.exchange import run_elsewhere
from edgesqueeze.runners.samples import Outputs, Samples

Kernels = Literal["xnnpack", "builtin", "reference"]
SUM_BITS = {"int8": 20, "uint8": 20, "int16": 15}
"""By how many bits ADD and SUB shift what they read to the left. Where the result's scale is smaller than
twice the larger of the inputs' by more, or one is 0, LiteRT aborts: the process ends, and says nothing."""


def run(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
    """Run on LiteRT as an application does by default, with XNNPACK. See ``runners`` for the contract."""
    return run_with(model, samples, "xnnpack", carry_state)


def run_builtin(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
    """Run on LiteRT's own optimised kernels, without a delegate. See ``runners`` for the contract."""
    return run_with(model, samples, "builtin", carry_state)


def run_reference(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
    """Run on LiteRT's reference kernels, without a delegate. See ``runners`` for the contract.

    In a process of their own: they abort, instead of refusing, on a softmax with a tiny input scale.
    """
    command = module_command("edgesqueeze.runners.litert_worker")
    return run_elsewhere(command, model, samples, "LiteRT (reference kernels)", carry_state)


def run_with(
    model: TfliteModel, samples: Samples, kernels: Kernels, carry_state: bool | None = None
) -> Outputs:
    """Run on LiteRT with the chosen kernels.

    A file with a quantized dimension that does not exist is run with the right one (``graph.axes``).

    Raises:
        UnsupportedModelError: LiteRT cannot load or run the model; the message holds what it said.
    """
    between = state_of(model).between(carry_state)
    model = with_valid_axes(model)
    try:
        with quiet():
            interpreter = _loaded(model, kernels)
            rows = []
            for number, sample in enumerate(samples):
                if number and between == "restart":
                    interpreter = _loaded(model, kernels)
                elif number and between == "reset":
                    interpreter.reset_all_variables()
                rows.append(_infer(interpreter, sample))
            return rows
    except (RuntimeError, ValueError) as error:
        raise UnsupportedModelError(
            f"LiteRT ({kernels} kernels) cannot run {model.name}: {str(error).strip()}",
            hint="`edgesqueeze inspect` lists the model's operators",
        ) from error


def run_inside(model: TfliteModel, samples: Samples, tensors: Sequence[int]) -> Iterator[list[Array]]:
    """Run on LiteRT's own optimised kernels and look inside: the values of some tensors for each sample.

    Args:
        model: a model without a state.
        samples: what goes in; see ``runners``.
        tensors: numbers of tensors of the main graph that operators compute, or inputs.
    """
    with quiet():
        interpreter = _loaded(model, "builtin", keep_all=True)
        for sample in samples:
            _infer(interpreter, sample)
            yield [np.array(interpreter.get_tensor(index)) for index in tensors]


def _loaded(model: TfliteModel, kernels: Kernels, *, keep_all: bool = False) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    _refuse_sums_that_abort(model)
    resolver = {
        "xnnpack": OpResolverType.AUTO,
        "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "reference": OpResolverType.BUILTIN_REF,
    }[kernels]
    interpreter = Interpreter(
        model_content=model.content,
        num_threads=1,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=keep_all,
    )
    interpreter.allocate_tensors()
    return interpreter


def _refuse_sums_that_abort(model: TfliteModel) -> None:
    for graph in model.graphs:
        for operator in (one for one in graph.operators if one.opcode in ("ADD", "SUB")):
            found = [graph.tensors[one] for one in (*operator.outputs, *operator.inputs) if one >= 0]
            scales = [one.quantization.scale for one in found if is_quantized(one) and one.quantization]
            if len(scales) < len(found):
                continue
            result, largest, ratio = scales[0], max(scales[1:]), 2 ** SUM_BITS[found[0].dtype]
            if min(scales) <= 0 or 2 * largest >= ratio * result:
                raise UnsupportedModelError(
                    f"LiteRT cannot run {model.name}: operator {operator.index} ({operator.opcode}) makes "
                    f"values of a scale of {result:.3g} from such of {largest:.3g} and {min(scales[1:]):.3g}",
                    expected=f"scales above 0, and the result's less than {ratio // 2:,} times smaller",
                    hint="quantize the model anew, with samples for which its values are not all the same",
                )


def _infer(interpreter: Any, sample: Sequence[Array]) -> list[Array]:
    for detail, value in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(detail["index"])) for detail in interpreter.get_output_details()]
