"""What ``compress`` writes into a .tflite for the app around it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from edgesqueeze.base.findings import Finding
from edgesqueeze.emit.scaling import Scaling
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.metadata import Metadata, PortMetadata
from edgesqueeze.graph.metadata_write import with_metadata
from edgesqueeze.graph.records import Tensor
from edgesqueeze.recipe.filled import FilledRecipe

SERVING = "serving_default_"
"""What TensorFlow puts in front of the names of inputs."""
IMAGE_CHANNELS = (1, 3)


def recipe_hash(recipe: FilledRecipe) -> str:
    """SHA-256 of a recipe as JSON in one line, in the form that ``report.json`` has it, in hexadecimal."""
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def described(
    model: TfliteModel,
    recipe: FilledRecipe,
    scalings: Sequence[Scaling],
    *,
    outputs: Sequence[str] = (),
    labels: Sequence[str] = (),
    images: bool = False,
) -> tuple[TfliteModel, tuple[Finding, ...]]:
    """The .tflite with its metadata: names, normalization, labels, and the hash of the recipe.

    Args:
        model: what the recipe gave; what it computes stays as it is.
        recipe: what was done.
        scalings: what is done with raw data for each input of real numbers.
        outputs: what the original calls its outputs, in the order of the .tflite's.
        labels: names of the classes; of the first output with so many values along its last axis.
        images: whether the data were pictures.

    Returns:
        The model, and a finding where no output has as many values as there are labels.
    """
    tensors = model.main.output_tensors
    names = outputs if len(outputs) == len(tensors) else [_name(tensor) for tensor in tensors]
    place = next((index for index, one in enumerate(tensors) if _width(one) == len(labels)), None)
    by_input = {one.input: one for one in scalings}
    metadata = Metadata(
        name=model.name,
        version=f"recipe sha256:{recipe_hash(recipe)}",
        inputs=tuple(_input(one, by_input.get(one.name), images) for one in model.main.input_tensors),
        outputs=tuple(
            PortMetadata(name=name, labels=tuple(labels) if index == place else ())
            for index, name in enumerate(names)
        ),
    )
    findings = (_left_out(tensors, labels),) if labels and place is None else ()
    return with_metadata(model, metadata), findings


def _input(tensor: Tensor, scaling: Scaling | None, images: bool) -> PortMetadata:
    """Raw data become the input as ``(raw - mean) / std``: that is ``raw * scale + offset``."""
    image = images and len(tensor.shape) == 4 and tensor.shape[-1] in IMAGE_CHANNELS
    content = "image" if image else ""
    if scaling is None:
        return PortMetadata(name=_name(tensor), content=content)
    size = max(len(scaling.scale), len(scaling.offset))
    scale, offset = (one * size if len(one) == 1 else one for one in (scaling.scale, scaling.offset))
    mean = tuple(0.0 - shift / factor for factor, shift in zip(scale, offset, strict=True))
    std = tuple(1 / factor for factor in scale)
    return PortMetadata(name=_name(tensor), content=content, mean=mean, std=std)


def _name(tensor: Tensor) -> str:
    return tensor.label.removeprefix(SERVING).rsplit(":", 1)[0]


def _width(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def _left_out(tensors: Sequence[Tensor], labels: Sequence[str]) -> Finding:
    widths = " and ".join(str(_width(tensor)) for tensor in tensors)
    message = (
        f"the names of its {len(labels)} classes are not in the .tflite: the output has {widths} values, and "
        "readers want one name for each"
    )
    return Finding(code="labels-left-out", subject="metadata", message=message)
