"""Give a model with open dimensions one shape: LiteRT says what that makes of every tensor."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgesqueeze.errors import UnsupportedModelError, UsageError
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.graph.axes import with_valid_axes
from edgesqueeze.graph.shapes import has_open_inside, open_inputs, shape_text, with_shapes
from edgesqueeze.runners.samples import plain_name

EXAMPLE = "1,224,224,3, or NAME=1,224,224,3 where the model has several inputs"


def parse_shapes(model: TfliteModel, texts: Sequence[str]) -> dict[int, tuple[int, ...]]:
    """What ``--input-shape`` says, by position of the input.

    Args:
        model: whose inputs they are.
        texts: ``1,224,224,3``, or ``NAME=1,224,224,3``.

    Raises:
        UsageError: something else, a name that no input has, or an input that is named twice.
    """
    found: dict[int, tuple[int, ...]] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        place = _place(model, name) if equals else _only(model, text)
        if place in found:
            raise UsageError(f"input {place} is given two shapes", got=text, hint="give one for each input")
        found[place] = _sizes(sizes)
    return found


def resize(model: TfliteModel, shapes: Mapping[int, Sequence[int]]) -> TfliteModel:
    """The model with fixed shapes.

    Args:
        model: a model with open dimensions.
        shapes: by position of the input; the others keep theirs.

    Raises:
        UsageError: a shape that is not one of the input's.
        UnsupportedModelError: LiteRT cannot run the model so.
    """
    if not shapes:
        return model
    tensors = model.main.input_tensors
    for place, shape in shapes.items():
        _check(tensors[place], tuple(shape))
    wanted = [list(shapes.get(place, tensor.shape)) for place, tensor in enumerate(tensors)]
    return with_shapes(model, _shapes_of_all(with_valid_axes(model), wanted))


def resized(model: TfliteModel, texts: Sequence[str] = ()) -> TfliteModel:
    """The model with the shapes that ``--input-shape`` gives; see ``parse_shapes`` and ``resize``.

    Without any, shapes inside that were left open are found for the inputs as they are in the file, as far as
    LiteRT runs it.
    """
    shapes = parse_shapes(model, texts)
    if shapes or open_inputs(model) or not has_open_inside(model):
        return resize(model, shapes)
    try:
        return resize(model, {place: one.shape for place, one in enumerate(model.main.input_tensors)})
    except UnsupportedModelError:
        return model


def _shapes_of_all(model: TfliteModel, wanted: list[list[int]]) -> list[tuple[int, ...]]:
    """Shapes of the main graph's tensors after one inference, found in a process of its own."""
    # Most models have no open dimension, and their commands start without what starts processes.
    import subprocess

    from edgesqueeze.base.worker import environment, module_command
    from edgesqueeze.runners.exchange import last_words

    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        path, found = Path(name) / "model.tflite", Path(name) / "shapes.json"
        path.write_bytes(model.content)
        command = module_command("edgesqueeze.runners.resize_worker")
        arguments = [str(path), json.dumps(wanted), str(found)]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, env=environment()
        )
        if done.returncode:
            raise UnsupportedModelError(
                f"LiteRT cannot run {model.name} with inputs of {', '.join(map(shape_text, wanted))}",
                got=last_words(done),
                hint="give a shape that the model was made for",
            )
        shapes = json.loads(found.read_text())
    return [tuple(shape) for shape in shapes[: len(model.main.tensors)]]


def _check(tensor: Tensor, shape: tuple[int, ...]) -> None:
    fits = len(shape) == len(tensor.signature) and all(
        size == stored or stored < 0 for size, stored in zip(shape, tensor.signature, strict=True)
    )
    if not fits:
        raise UsageError(
            f"input {plain_name(tensor)!r} cannot have the shape {shape_text(shape)}",
            expected=f"{shape_text(tensor.signature)}, with numbers for the question marks",
            got=shape_text(shape),
            hint="only open dimensions can be chosen",
        )


def _sizes(text: str) -> tuple[int, ...]:
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and 0 < int(part) < 1 << 31 for part in parts):
        raise UsageError(f"{text!r} is no shape", expected=EXAMPLE, got=text, hint="positive whole numbers")
    return tuple(map(int, parts))


def _only(model: TfliteModel, text: str) -> int:
    tensors = model.main.input_tensors
    choice = [place for place, tensor in enumerate(tensors) if tensor in open_inputs(model)]
    choice = choice if len(choice) == 1 else list(range(len(tensors)))
    if len(choice) != 1:
        raise UsageError(
            f"{model.name} has {len(tensors)} inputs",
            expected=f"{' and '.join(f'{plain_name(tensor)}=SHAPE' for tensor in tensors)}",
            got=text,
            hint="name the input that a shape is for",
        )
    return choice[0]


def _place(model: TfliteModel, name: str) -> int:
    tensors = model.main.input_tensors
    for place, tensor in enumerate(tensors):
        if name in (tensor.name, plain_name(tensor)):
            return place
    raise UsageError(
        f"{model.name} has no input {name!r}",
        expected=", ".join(map(plain_name, tensors)),
        got=name,
        hint="`edgesqueeze inspect` lists the inputs",
    )
