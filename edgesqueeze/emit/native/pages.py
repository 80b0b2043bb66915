"""What the templates of the generated folder print, as typed records: one a kind of file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """What all files say about themselves.

    Attributes:
        name: the model's name in C.
        upper: the model's name in capitals, with which macros start.
        guard: start of the include guards' names.
        model_file: the .tflite that it was made from.
        sha256: hex digest of that file.
        generator: name and version of this program.
        target: what the code is for, in words.
    """

    name: str
    upper: str
    guard: str
    model_file: str
    sha256: str
    generator: str
    target: str


@dataclass(frozen=True)
class Port:
    """An input or output.

    Attributes:
        suffix: end of its functions' names; empty for the only one of its side.
        converts: whether the generated code converts between the caller's type and int8.
        macro: start of its macros' names.
        title: one line for a comment.
        elements: number of values.
        shape: sizes of its dimensions in the model; ``(1,)`` for a scalar.
        scale: float literal.
        zero_point: the integer that stands for zero.
        c_type: element type of the values that the caller gives or gets.
    """

    suffix: str
    converts: bool
    macro: str
    title: str
    elements: int
    shape: tuple[int, ...]
    scale: str
    zero_point: int
    c_type: str


@dataclass(frozen=True)
class HeaderPage:
    """The header that a firmware includes.

    Attributes:
        arena_bytes: size of the arena, in bytes.
        live_bytes: the largest sum of tensors and scratch memory in use at one time, in bytes.
        weights_bytes: size of all constant data in flash, in bytes.
        layer_count: number of layers.
        state_bytes: those bytes of the arena that outlive an inference.
        inputs: the model's inputs.
        outputs: the model's outputs.
    """

    arena_bytes: int
    live_bytes: int
    weights_bytes: int
    layer_count: int
    state_bytes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class Place:
    """A constant that says where something lies in the arena.

    Attributes:
        name: name of the constant.
        offset: bytes from the start of the arena.
        what: what lies there, for a comment.
    """

    name: str
    offset: int
    what: str


@dataclass(frozen=True)
class Parameters:
    """The constant parameters of one call.

    Attributes:
        name: name of the constant.
        type_name: C struct type of the constant.
        comment: the layer that they are for.
        value: the initializer.
    """

    name: str
    type_name: str
    comment: str
    value: str


@dataclass(frozen=True)
class Statement:
    """A call in the body of a function.

    Attributes:
        text: the call in C.
        images: how often it is made, with ``image`` counted up.
    """

    text: str
    images: int = 1


@dataclass(frozen=True)
class Step:
    """One layer in the body of a function.

    Attributes:
        index: the layer's number.
        comment: number, kind, shapes and name of the layer.
        calls: the layer's calls.
    """

    index: int
    comment: str
    calls: tuple[Statement, ...]


@dataclass(frozen=True)
class Part:
    """A layer of a chain: what is called when it is its turn.

    Attributes:
        index: the layer's number.
        comment: number, kind, shapes and name of the layer.
        position: its place in the chain.
        copies: type and name of the parameters that change from turn to turn, and what they start from.
        changes: assignments of what changes, before the calls.
        calls: the layer's calls in C.
    """

    index: int
    comment: str
    position: int
    copies: tuple[tuple[str, str, str], ...]
    changes: tuple[str, ...]
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Turns:
    """Layers that run by turns.

    Attributes:
        index: number of the first layer.
        comment: which layers, and how many rows a turn makes.
        name: name of the constant that describes the layers.
        rows: output rows of the last layer that a turn makes.
        tensors: initializers of the tensors from the first layer's input to the last one's output.
        parts: the layers.
    """

    index: int
    comment: str
    name: str
    rows: int
    tensors: tuple[str, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Function:
    """One function of the model's own file.

    Attributes:
        signature: return type, name and parameters.
        steps: the layers that it runs, those that run by turns as one.
        uses_arena: whether its body names the arena.
        value: expression that it returns; empty if it returns nothing.
    """

    signature: str
    steps: tuple[Step | Turns, ...] = ()
    uses_arena: bool = True
    value: str = ""


@dataclass(frozen=True)
class RowLayers:
    """The constant that describes layers that run by turns.

    Attributes:
        name: name of the constant.
        comment: which layers.
        count: how many.
        values: the initializer of each.
    """

    name: str
    comment: str
    count: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class SourcePage:
    """The model's own C file.

    Attributes:
        headers: the kernels' headers that it includes.
        places: where tensors and scratch memory lie.
        parameters: constant parameters of all calls.
        chains: descriptions of layers that run by turns.
        resets: calls that set what outlives an inference to what it holds at first; empty where nothing
            does.
        functions: functions in the order in which the header declares them.
    """

    headers: tuple[str, ...]
    places: tuple[Place, ...]
    parameters: tuple[Parameters, ...]
    chains: tuple[RowLayers, ...]
    resets: tuple[str, ...]
    functions: tuple[Function, ...]


@dataclass(frozen=True)
class ArrayText:
    """Constant data.

    Attributes:
        name: name of the array.
        type_name: C type of an element.
        count: number of elements.
        alignment: what its address is a multiple of, in bytes.
        comment: the first layer that reads it, and what it is.
        values: the elements as lines of text.
    """

    name: str
    type_name: str
    count: int
    alignment: int
    comment: str
    values: str


@dataclass(frozen=True)
class WeightsPage:
    """The header and the source of the constant data.

    Attributes:
        arrays: all constant data.
        weights_bytes: size of all arrays in flash, in bytes.
        headers: headers that the arrays' types come from.
        named_values: whether some values are none that digits write, but have names: INFINITY, NAN.
    """

    arrays: tuple[ArrayText, ...]
    weights_bytes: int
    headers: tuple[str, ...]
    named_values: bool


@dataclass(frozen=True)
class ExamplePage:
    """``main.c``, which runs the model once.

    Attributes:
        inputs: the model's inputs.
        outputs: the model's outputs.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class BuildPage:
    """The Makefile and the CMakeLists.txt.

    Attributes:
        cross: prefix of the compiler's programs; empty: this machine's own.
        cpu_flags: options that select the core.
        sources: the C files of the library.
        include_folders: folders that hold the library's headers.
    """

    cross: str
    cpu_flags: str
    sources: tuple[str, ...]
    include_folders: tuple[str, ...]


Page = HeaderPage | SourcePage | WeightsPage | ExamplePage | BuildPage
