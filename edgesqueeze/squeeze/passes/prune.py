"""Magnitude pruning of a folded model, with TFMOT (Zhu and Gupta, 2017, arXiv:1710.01878)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import tensorflow_model_optimization as tfmot
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from edgesqueeze.base.findings import Finding, Severity
from edgesqueeze.recipe.filled import FilledPrune
from edgesqueeze.squeeze.layers.grid import FloatArray
from edgesqueeze.squeeze.layers.kernels import KernelKey
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.layers.weights import Kernel, kernels_of, model_kernels
from edgesqueeze.squeeze.passes.device_pruning import (
    FEWEST_BLOCKS,
    FEWEST_WEIGHTS,
    PrunedInBlocks,
    block_of,
    numbers_of,
)
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.scaled import Carrier, ScaledKernel, carried
from edgesqueeze.squeeze.passes.selection import select
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State

RAMP_SHARE = 0.6
"""Share of the pruning steps over which the sparsity grows; the rest recovers at full sparsity."""

MASK_UPDATES = 50
"""How often the masks are chosen anew while the sparsity grows."""


_APPLIES_TO = {
    "device": f"Conv1D, Conv2D and Dense, without groups, of {FEWEST_BLOCKS} blocks and more",
    "2:4": "Conv2D, Conv2DTranspose, Dense and recurrent kernels",
    "block": "Dense and recurrent kernels of several blocks both ways",
}


def run(state: State, options: FilledPrune, setting: Setting) -> Outcome:
    """Prune the chosen kernels while the model is trained to do what the teacher does.

    Raises:
        RecipeError: a pattern that matches no layer.
        UnsupportedModelError: the training diverged.
    """
    chosen = select(state.model, "prune", options)
    student, findings = prunable(state.model, options, setting.precision, chosen.keys, setting.steps)
    trained = setting.train(
        student, setting.steps, whole_from=ramp_steps(options, setting.steps), hasten=lambda: _hasten(student)
    )
    promises = state.promising(chosen.keys, zeros=options.sparsity)
    pruned = replace(state, model=finish_pruning(student), promises=promises)
    kernels = [kernel for kernel in model_kernels(pruned.model) if kernel.key in chosen.keys]
    blocks = {kernel.key: block for kernel in kernels if (block := block_of(kernel, options))}
    for key, block in blocks.items():
        pruned = replace(pruned, promises=pruned.promising(frozenset([key]), block=block))
    told = _left_to_target(options, blocked=bool(blocks))
    return Outcome(pruned, (*chosen.skipped, *told, *findings), trained)


def _left_to_target(options: FilledPrune, *, blocked: bool) -> tuple[Finding, ...]:
    """What the target made of the structure, where that needs a word.

    Args:
        options: what was asked for.
        blocked: whether some kernel has its zeros in blocks.
    """
    blocks = options.device_blocks
    if blocks and options.left_to_target and blocked:
        message = (
            f"zeros come in the blocks that the target's kernels skip, outputs x inputs: "
            f"{_sides(blocks.convolution)} in convolutions, {_sides(blocks.dense)} in fully connected "
            f"layers, from {FEWEST_WEIGHTS:,} weights on (structure = 'unstructured' for single weights)"
        )
        return (Finding(code="prune-structure-chosen", subject="device", message=message),)
    if blocks and options.left_to_target:
        message = (
            f"zeros are single weights: no kernel has the {FEWEST_WEIGHTS:,} from which on blocks that the "
            "target's kernels skip are worth what they cost (structure = 'device' for blocks all the same)"
        )
        return (Finding(code="prune-structure-chosen", subject="unstructured", message=message),)
    if options.structure == "device" and not blocks:
        message = "pruned unstructured: the target has no kernels that skip blocks of zeros"
        return (Finding(code="prune-structure", subject="device", message=message, severity="warning"),)
    return ()


def _sides(block: tuple[int, int]) -> str:
    return f"{block[0]} x {block[1]}"


def prunable(
    model: Any, recipe: FilledPrune, precision: Precision, keys: frozenset[KernelKey], steps: int
) -> tuple[Any, tuple[Finding, ...]]:
    """A copy of the model that prunes the chosen kernels while it is trained.

    Args:
        model: a folded, flat tf_keras model; it is not changed.
        recipe: sparsity, schedule and structure.
        precision: how conversion will store each kernel.
        keys: kernels to prune.
        steps: training steps that it will be given; 0 if none.

    Returns:
        The model to train, and findings about kernels whose structure had to differ.
    """
    findings = []

    def make(kernel: Kernel) -> Any:
        own = ScaledKernel(kernel.value, precision.stored(kernel))
        if kernel.key not in keys:
            return own
        structure = _structure(kernel, recipe)
        asked = not recipe.left_to_target and (recipe.device_blocks or recipe.structure != "device")
        if structure != recipe.structure and asked:
            findings.append(_other_structure(kernel.name, structure, recipe))
        return _pruned(own, kernel, recipe, structure, steps)

    def wrap(layer: Any) -> Any:
        return carried(layer, make) if kernels_of(layer) else None

    return rewrite(model, wrap), tuple(findings)


def _pruned(own: ScaledKernel, kernel: Kernel, recipe: FilledPrune, structure: str, steps: int) -> Any:
    """A kernel in TFMOT's wrapper, which prunes it."""
    block = block_of(kernel, recipe) if structure == "device" else None
    if block:
        wrapper: Any = PrunedInBlocks(own, numbers_of(kernel, block), _schedule(recipe, steps))
    else:
        wrapper = tfmot.sparsity.keras.prune_low_magnitude(
            own,
            pruning_schedule=_schedule(recipe, steps),
            block_size=recipe.block if structure == "block" else (1, 1),
            block_pooling_type="AVG",
            sparsity_m_by_n=(2, 4) if structure == "2:4" else None,
        )
    wrapper.build(())
    # What TFMOT's UpdatePruningStep callback does at first; the wrapper counts on by itself.
    wrapper.pruning_step.assign(0)
    return wrapper


def _structure(kernel: Kernel, recipe: FilledPrune) -> str:
    """The structure that a kernel can be given."""
    shape = kernel.value.shape
    rank = len(shape)
    if recipe.structure == "device":
        return "device" if block_of(kernel, recipe) else "unstructured"
    if recipe.structure == "block":
        # TFMOT cannot choose among the blocks of a single row or column of them.
        blocks = [-(-size // side) for size, side in zip(shape, recipe.block, strict=False)]
        return "block" if rank == 2 and min(blocks) > 1 else "unstructured"
    if recipe.structure == "2:4" and (rank not in (2, 4) or "Depthwise" in type(kernel.owner).__name__):
        return "unstructured"
    return recipe.structure


def _other_structure(name: str, structure: str, recipe: FilledPrune) -> Finding:
    """A layer that cannot have the structure; on the device nothing is lost by that."""
    message = f"pruned {structure}: {recipe.structure} applies to {_APPLIES_TO[recipe.structure]}"
    severity: Severity = "note" if recipe.structure == "device" else "warning"
    return Finding(code="prune-structure", subject=name, message=message, severity=severity)


def _schedule(recipe: FilledPrune, steps: int) -> Any:
    end = ramp_steps(recipe, steps)
    if not end:
        return tfmot.sparsity.keras.ConstantSparsity(recipe.sparsity, begin_step=0, frequency=1)
    return tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=recipe.sparsity,
        begin_step=0,
        end_step=end,
        frequency=_frequency(steps),
    )


def ramp_steps(recipe: FilledPrune, steps: int) -> int:
    """Training steps over which the sparsity grows, out of so many; 0: it is full from the start."""
    if recipe.schedule == "constant" or steps < 10:
        return 0
    return max(1, int(steps * RAMP_SHARE) // _frequency(steps)) * _frequency(steps)


def _frequency(steps: int) -> int:
    """Training steps from one choice of the masks to the next."""
    return max(1, int(steps * RAMP_SHARE / MASK_UPDATES))


def _hasten(student: Any) -> None:
    """Bring the masks of a model to their final sparsity at once."""
    for layer in student.layers:
        for maker in layer.makers if isinstance(layer, Carrier) else ():
            if isinstance(maker, pruning_wrapper.PruneLowMagnitude):
                _enforce(maker)


def finish_pruning(model: Any) -> Any:
    """The plain model with the masks at their final sparsity, whatever the training reached.

    Args:
        model: what ``prunable`` gave, trained or not.

    Returns:
        A flat tf_keras model of plain layers. Each pruned kernel holds exact zeros, and nothing besides
        them that int8 quantization would round to zero.
    """

    def value(key: KernelKey, maker: Any) -> FloatArray:
        if not isinstance(maker, pruning_wrapper.PruneLowMagnitude):
            own: ScaledKernel = maker
            return own.value()
        _enforce(maker)
        pruned: ScaledKernel = maker.layer
        return pruned.value(lifted=True)

    def unwrap(layer: Any) -> Any:
        return layer.bare(value) if isinstance(layer, Carrier) else None

    return rewrite(model, unwrap)


def _enforce(wrapper: Any) -> None:
    """Bring one kernel's mask to the final sparsity with TFMOT's own update."""
    schedule = wrapper.pruning_schedule
    # 2:4 masks are chosen at step 1 only.
    final = 1 if wrapper.sparsity_m_by_n else max(int(getattr(schedule, "end_step", 1)), 1)
    wrapper.pruning_step.assign(final)
    wrapper.pruning_obj.conditional_mask_update()
    wrapper.pruning_obj.weight_mask_op()
