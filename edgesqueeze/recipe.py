"""What to do to a model: the table of passes, and a TOML recipe as frozen and validated records.

A recipe with every key at its default::

    seed = 0

    [channels]                     # leave the section out to keep all channels
    share = 0.5                    # share of the multiply-accumulates that goes, with whole channels;
                                   # or, in its place, as many as it takes for one or more of
    # latency_ms = 50.0            #   time of an inference on the target, in milliseconds
    # flash_kib = 256.0            #   flash on the target, in KiB
    # ram_kib = 64.0               #   RAM on the target, in KiB
    importance = "taylor"          # or "magnitude"; see squeeze/passes/importance.py
    step = 4                       # channels stay in multiples of it; those of the target's kernels if unset
    include = ["*"]                # layers whose channels may go: names or classes, with * and ?
    exclude = []

    [prune]                        # leave the section out for no pruning
    sparsity = 0.5                 # share of each kernel that becomes zero
    schedule = "polynomial"        # or "constant"
    structure = "unstructured"     # or "device", "2:4", "block"; what pays on the target if unset
    block = [1, 4]                 # rows and columns, for structure = "block"
    include = ["*"]                # layer names or classes, with * and ?
    exclude = []
    first_and_last = "auto"        # or "include", "exclude"; see squeeze/passes/selection.py

    [bits]                         # leave the section out for eight
    weights = 4                    # fifteen even levels for each channel; for mode = "int8"
    include = ["*"]
    exclude = []
    first_and_last = "auto"

    [cluster]                      # leave the section out for no clustering
    clusters = 16                  # distinct values of a whole kernel, zero included
    init = "kmeans++"              # or "linear", "random", "density"
    include = ["*"]
    exclude = []
    first_and_last = "auto"

    [finetune]
    epochs = 20                    # over all stages together, 0 trains nothing; unset: while it helps
    batch_size = 64
    learning_rate = 5e-3           # highest of Adam; unset: the best of a few
    loss = "distill"               # or the name of a Keras loss, which needs labels
    labels = 0.0                   # part of the loss that is of labels, mixed into "distill"
    augment = []                   # "mix", "noise"; of images "flip", "shift", "brightness"

    [quantize]
    mode = "int8"                  # "int16x8", "float16", "dynamic", "none"; the target's preference if unset
    io = "int8"                    # "uint8", "float32"; the target's preference if unset
    calibration_samples = 200

    [data]
    scale = 1.0                    # input = raw * scale + offset; a number, or one for each
    offset = 0.0                   # channel or feature, along the last axis: [0.5, 0.25, 2.0]
    lift_normalization = false     # take a normalization that stands first out of the model
    evaluation_samples = 2000      # how many test samples the result is judged on, at most

    [limits]
    max_accuracy_drop = 0.01       # a share: 0.01 is one point; unset for no limit
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from edgesqueeze.base.given import path_of, wrong_kind
from edgesqueeze.base.lazy import Lazy
from edgesqueeze.base.records import Record
from edgesqueeze.base.toml import FileKind, check_record, read_toml
from edgesqueeze.errors import RecipeError

FILE = FileKind("recipe", RecipeError, "`python -m pydoc edgesqueeze.recipe` lists all keys")

QuantizeMode = Literal["int8", "int16x8", "float16", "dynamic", "none"]
IoType = Literal["int8", "uint8", "float32"]
Kernels = Literal["small", "portable", "dsp", "mve", "xnnpack"]
FirstAndLast = Literal["auto", "include", "exclude"]
Augmentation = Literal["mix", "noise", "flip", "shift", "brightness"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerFeature = Finite | Annotated[tuple[Finite, ...], Field(min_length=1)]
Pattern = Annotated[str, Field(min_length=1)]


class Channels(Record):
    """Structured pruning: whole filters and units are removed.

    Attributes:
        share: share of the model's multiply-accumulates that goes, above 0 and below 1; null: 0.5, or as many
            as the budgets that follow take.
        latency_ms: most milliseconds that an inference may take on the target; null: any.
        flash_kib: most flash that the model may take on the target, in KiB; null: any.
        ram_kib: most RAM that the model may take on the target, in KiB; null: any.
        importance: what tells which channels go: ``taylor``, first-order terms of the loss on training
            samples, or ``magnitude``, the norms of weights.
        step: channels of a layer stay in multiples of it; null: of what the target's kernels take at a time.
        include: patterns (``*``, ``?``) of layer names or classes whose channels may go.
        exclude: patterns of layers that keep theirs though they are included.
    """

    share: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    latency_ms: Positive | None = None
    flash_kib: Positive | None = None
    ram_kib: Positive | None = None
    importance: Literal["taylor", "magnitude"] = "taylor"
    step: Annotated[int, Field(ge=1, le=256)] | None = None
    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()

    @model_validator(mode="after")
    def _share_or_budgets(self) -> Channels:
        if self.share is not None and self.budgets:
            raise ValueError(f"share and {', '.join(self.budgets)} both say how many channels go: give one")
        return self

    @property
    def budgets(self) -> dict[str, float]:
        """The most that the model may take of the target, by name."""
        given = {"latency_ms": self.latency_ms, "flash_kib": self.flash_kib, "ram_kib": self.ram_kib}
        return {name: most for name, most in given.items() if most is not None}


class FilledChannels(Channels):
    """Structured pruning, with nothing left to the target.

    Attributes:
        share: share of the model's multiply-accumulates that goes, above 0 and below 1; null: as many as the
            budgets that follow take.
        latency_ms: most milliseconds that an inference may take on the target; null: any.
        flash_kib: most flash that the model may take on the target, in KiB; null: any.
        ram_kib: most RAM that the model may take on the target, in KiB; null: any.
        importance: what tells which channels go: ``taylor``, first-order terms of the loss on training
            samples, or ``magnitude``, the norms of weights.
        step: channels of a layer are kept in multiples of it.
        kernels: kind of kernels that run the model: what a channel costs depends on them.
        include: patterns (``*``, ``?``) of layer names or classes whose channels may go.
        exclude: patterns of layers that keep theirs though they are included.
    """

    step: Annotated[int, Field(ge=1, le=256)] = 4
    kernels: Kernels = "portable"


Structure = Literal["unstructured", "device", "2:4", "block"]


class Prune(Record):
    """Magnitude pruning with TFMOT (Zhu and Gupta, 2017, arXiv:1710.01878).

    Attributes:
        sparsity: share of each kernel's weights that becomes zero, above 0 and below 1.
        schedule: how the sparsity grows while training: ``polynomial``, or ``constant`` from the start.
        structure: which weights go together: ``unstructured``, ``device`` (blocks that the target's kernels
            skip), ``2:4`` (two of four neighbours) or ``block``; null: what pays on the target.
        block: rows and columns of a block, for ``block``.
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
        first_and_last: whether the first and the last layer take part; ``auto``: unless they are small.
    """

    sparsity: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    schedule: Literal["polynomial", "constant"] = "polynomial"
    structure: Structure | None = None
    block: tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]] = (1, 4)
    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()
    first_and_last: FirstAndLast = "auto"

    @model_validator(mode="after")
    def _two_of_four_is_half(self) -> Prune:
        if self.structure == "2:4" and self.sparsity != 0.5:
            raise ValueError(f"structure 2:4 means a sparsity of 0.5, but sparsity is {self.sparsity}")
        return self


class DeviceBlocks(Record):
    """Weights that the target's kernels skip together, where all of them are zero: outputs, then inputs.

    Attributes:
        convolution: outputs and inputs of a block of a convolution.
        dense: outputs and inputs of a block of a fully connected layer.
    """

    convolution: tuple[int, int]
    dense: tuple[int, int]


class FilledPrune(Prune):
    """Magnitude pruning with nothing left to the target.

    Attributes:
        sparsity: share of each kernel's weights that becomes zero, above 0 and below 1.
        schedule: how the sparsity grows while training: ``polynomial``, or ``constant`` from the start.
        structure: which weights go together: ``unstructured``, ``device`` (blocks that the target's kernels
            skip), ``2:4`` (two of four neighbours) or ``block``.
        block: rows and columns of a block, for ``block``.
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
        first_and_last: whether the first and the last layer take part; ``auto``: unless they are small.
        device_blocks: the blocks of ``device``; null: another structure, or kernels that skip none.
        left_to_target: whether the recipe left the structure to the target.
    """

    structure: Structure = "unstructured"
    device_blocks: DeviceBlocks | None = None
    left_to_target: bool = False


class Cluster(Record):
    """Weight clustering with TFMOT (Han, Mao and Dally, 2016, arXiv:1510.00149).

    Attributes:
        clusters: most distinct values of a whole kernel, zero included.
        init: how the first values are chosen.
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
        first_and_last: whether the first and the last layer take part; ``auto``: unless they are small.
    """

    clusters: Annotated[int, Field(ge=2, le=255)] = 16
    init: Literal["kmeans++", "linear", "random", "density"] = "kmeans++"
    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()
    first_and_last: FirstAndLast = "auto"


class Bits(Record):
    """Kernels of fewer bits than eight, trained as they will be stored.

    Attributes:
        weights: width of a weight: 4 means fifteen even levels for each output channel.
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
        first_and_last: whether the first and the last layer take part; ``auto``: unless they are small.
    """

    weights: Literal[4] = 4
    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()
    first_and_last: FirstAndLast = "auto"


class Finetune(Record):
    """How the compressed model learns to do its job again.

    Attributes:
        epochs: passes over the training data, over all training stages together; 0 trains nothing. Null:
            each stage goes on until the loss on held-out samples stops falling, within a bound.
        batch_size: samples in one training step.
        learning_rate: highest learning rate of Adam; null: the best of a few that are tried for some steps.
        loss: ``distill`` (imitate the original, no labels needed), or the name of a Keras loss.
        labels: part of the loss that is of labels, mixed into ``distill``, 0 to 1.
        augment: what is done to samples while learning from them: ``mix`` (with each other), ``noise``, and
            to images ``flip`` (left to right), ``shift``, ``brightness``.
    """

    epochs: Annotated[int, Field(ge=0, le=10_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    loss: Pattern = "distill"
    labels: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    augment: tuple[Augmentation, ...] = ()

    @model_validator(mode="after")
    def _labels_go_with_the_rest(self) -> Finetune:
        if self.labels and self.loss != "distill":
            raise ValueError(f"labels are mixed into the loss distill, but the loss is {self.loss}")
        if "mix" in self.augment and (self.labels or self.loss != "distill"):
            raise ValueError(
                "there is no label for a mixture of samples: leave out labels, or mix of augment"
            )
        return self


class Quantize(Record):
    """What the .tflite holds. Unset fields take the target's preference.

    Attributes:
        mode: ``int8``, ``int16x8`` (int16 activations, int8 weights), ``float16`` weights, ``dynamic`` (int8
            weights, float activations) or ``none``.
        io: element type of inputs and outputs of an integer model.
        calibration_samples: number of samples that show the range of every activation.
    """

    mode: QuantizeMode | None = None
    io: IoType | None = None
    calibration_samples: Annotated[int, Field(ge=1, le=100_000)] = 200


class FilledQuantize(Quantize):
    """What the .tflite holds, with nothing left to the target.

    Attributes:
        mode: ``int8``, ``int16x8`` (int16 activations, int8 weights), ``float16`` weights, ``dynamic`` (int8
            weights, float activations) or ``none``.
        io: element type of inputs and outputs of an integer model.
        calibration_samples: number of samples that show the range of every activation.
    """

    mode: QuantizeMode
    io: IoType


class DataOptions(Record):
    """How raw data become the model's input, ``raw * scale + offset``, and how many judge the result.

    Attributes:
        scale: factor on every raw value; or one for each channel or feature, along the last axis; not 0.
        offset: what is added to every scaled value; or one for each channel or feature.
        lift_normalization: whether a normalization that stands first in the model is taken out of it and
            applied to the data instead; the report has its constants, for firmware to apply.
        evaluation_samples: largest number of test samples that the result is judged on.
    """

    scale: PerFeature = 1.0
    offset: PerFeature = 0.0
    lift_normalization: bool = False
    evaluation_samples: Annotated[int, Field(ge=1)] = 2000

    @model_validator(mode="after")
    def _scale_is_not_zero(self) -> DataOptions:
        if 0 in self.scales:
            raise ValueError("scale is 0, which turns every sample into the same value")
        return self

    @property
    def scales(self) -> tuple[float, ...]:
        """The scale of each channel or feature; one for all."""
        return self.scale if isinstance(self.scale, tuple) else (self.scale,)

    @property
    def offsets(self) -> tuple[float, ...]:
        """The offset of each channel or feature; one for all."""
        return self.offset if isinstance(self.offset, tuple) else (self.offset,)


class Limits(Record):
    """What the result must satisfy; a miss is exit code 1.

    Attributes:
        max_accuracy_drop: most accuracy that may be lost in any figure that decides, as a share: 0.01 is one
            point, of classes, labels or pixels that are right, or of an error's share of the output's spread.
            With a metric of your own it is in that metric's unit. Null: no limit.
    """

    max_accuracy_drop: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Recipe(Record):
    """Everything that ``compress`` does, in one record.

    Attributes:
        seed: seed of everything random; the same seed and inputs give the same bytes.
        channels: structured pruning; null for none.
        prune: pruning; null for none.
        cluster: weight clustering; null for none.
        bits: kernels of four bits; null for eight.
        finetune: how the compressed model is trained.
        quantize: what the .tflite holds.
        data: how raw data become the model's input.
        limits: what the result must satisfy.
    """

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    channels: Channels | None = None
    prune: Prune | None = None
    cluster: Cluster | None = None
    bits: Bits | None = None
    finetune: Finetune = Finetune()
    quantize: Quantize = Quantize()
    data: DataOptions = DataOptions()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _room_for_zero(self) -> Recipe:
        if self.prune and self.cluster and self.cluster.clusters < 3:
            raise ValueError("a pruned kernel needs at least 3 clusters: zero, and one on each side of it")
        return self

    @model_validator(mode="after")
    def _four_bits_are_for_int8(self) -> Recipe:
        if self.bits and self.quantize.mode not in (None, "int8"):
            raise ValueError(f"weights of 4 bits go with mode int8, but mode is {self.quantize.mode}")
        return self


class FilledRecipe(Recipe):
    """A recipe in which nothing is left to the target: what the passes work with.

    Attributes:
        seed: seed of everything random; the same seed and inputs give the same bytes.
        channels: structured pruning; null for none.
        prune: pruning; null for none.
        cluster: weight clustering; null for none.
        bits: kernels of four bits; null for eight.
        finetune: how the compressed model is trained.
        quantize: what the .tflite holds.
        data: how raw data become the model's input.
        limits: what the result must satisfy.
    """

    channels: FilledChannels | None = None
    prune: FilledPrune | None = None
    quantize: FilledQuantize


class Pass(NamedTuple):
    """A row of the table of passes: one thing that can be done to a folded model.

    Attributes:
        name: name of the pass: its recipe section, its stage in the report and its progress bar.
        summary: what it does, for a person.
        run: the function that does it: ``run(state, options, setting) -> Outcome``, records of
            ``squeeze/passes/state.py``.
        options: the part of a recipe that asks for the pass; None: the recipe does not.
        weight: its part of the training steps, relative to the other passes that the recipe asks for.
        done: what it makes of a layer, in one word: what a layer that was left out is not.
        absent: why it is skipped where the recipe does not ask for it; empty where another row says so.
        less: what to ask for where too much accuracy was lost; empty where another row says so.
    """

    name: str
    summary: str
    run: Lazy
    options: Callable[[FilledRecipe], Any]
    weight: float = 0.0
    done: str = ""
    absent: str = ""
    less: str = ""


PASSES: tuple[Pass, ...] = (
    Pass(
        "channels",
        "removes whole filters and units, those that matter least for what they cost",
        Lazy("edgesqueeze.squeeze.passes.channels:run"),
        options=lambda recipe: recipe.channels,
        weight=0.6,
        done="cut",
        absent="no share of the multiply-accumulates was to go",
        less="a smaller share of channels",
    ),
    Pass(
        "prune",
        "makes a share of each kernel's weights zero, the least ones",
        Lazy("edgesqueeze.squeeze.passes.prune:run"),
        options=lambda recipe: recipe.prune,
        weight=0.5,
        done="pruned",
        absent="no sparsity was asked for",
        less="less sparsity",
    ),
    Pass(
        "bits",
        "gives each channel of a kernel fifteen even levels, which take four bits",
        Lazy("edgesqueeze.squeeze.passes.bits:run"),
        options=lambda recipe: recipe.bits,
        weight=0.5,
        done="brought to four bits",
        absent="no four bits were asked for",
        less="eight bits",
    ),
    Pass(
        "cluster",
        "gives each kernel a few distinct values",
        Lazy("edgesqueeze.squeeze.passes.cluster:run"),
        options=lambda recipe: recipe.cluster,
        weight=0.3,
        done="clustered",
        absent="no clusters were asked for",
        less="more clusters",
    ),
    Pass(
        "settle",
        "fixes clustered kernels to the integers of the file, and trains their scales and biases",
        Lazy("edgesqueeze.squeeze.passes.cluster:run_settle"),
        options=lambda recipe: recipe.cluster,
        weight=0.2,
    ),
)
"""What can be done to a model between folding and conversion, in the order in which it is done."""


def share_steps(steps: int, passes: Sequence[Pass]) -> dict[str, int]:
    """Training steps of each pass by its name: whole numbers that add up to ``steps``, as the weights say.

    Args:
        steps: steps of all passes together.
        passes: the passes that take place, in order.
    """
    training = [one for one in passes if one.weight]
    total = sum(one.weight for one in training)
    shares = {one.name: 0 for one in passes}
    for one in training:
        shares[one.name] = int(steps * (one.weight / total))
    if training:
        # What rounding leaves goes to the last: it trains what will be in the file.
        shares[training[-1].name] += steps - sum(shares.values())
    return shares


# Flag of the command line -> where it goes.
FLAGS: Mapping[str, tuple[str, ...]] = {
    "channels": ("channels", "share"),
    "sparsity": ("prune", "sparsity"),
    "structure": ("prune", "structure"),
    "clusters": ("cluster", "clusters"),
    "bits": ("bits", "weights"),
    "quantize": ("quantize", "mode"),
    "io": ("quantize", "io"),
    "epochs": ("finetune", "epochs"),
    "seed": ("seed",),
    "max_accuracy_drop": ("limits", "max_accuracy_drop"),
    "evaluation_samples": ("data", "evaluation_samples"),
    "lift_normalization": ("data", "lift_normalization"),
}


def load_recipe(path: str | Path | None = None, flags: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe and lay flags over it.

    Args:
        path: a TOML file, or None for the defaults.
        flags: values by flag name (the keys of ``FLAGS``); None values are ignored.

    Raises:
        UsageError: that is no path.
        RecipeError: the file cannot be read, a key is unknown, or a value is out of range.
    """
    raw = {} if path is None else read_toml(path_of(path, "the path of a recipe, a TOML file"), FILE)
    for flag, value in (flags or {}).items():
        if value is not None:
            _set(raw, FLAGS[flag], value)
    return parse_recipe(raw, "the flags" if path is None else str(path))


def as_recipe(given: str | Path | Recipe | None) -> Recipe:
    """A recipe, read first where its path was given; the defaults for None.

    Raises:
        UsageError: neither a recipe nor a path.
        RecipeError: see ``load_recipe``.
    """
    if isinstance(given, Recipe):
        return given
    if given is None:
        return Recipe()
    hint = "parse_recipe makes one from nested dictionaries"
    return load_recipe(path_of(given, "a Recipe, or the path of one", hint))


def parse_recipe(raw: Mapping[str, Any], origin: str = "the recipe") -> Recipe:
    """Validate a recipe given as nested dictionaries.

    Raises:
        UsageError: that is no dictionary.
        RecipeError: a key is unknown, or a value is out of range.
    """
    if not isinstance(raw, Mapping):
        raise wrong_kind(raw, "a recipe as nested dictionaries", "load_recipe reads one from a file")
    return check_record(raw, Recipe, origin, FILE)


def _set(raw: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        section = raw.setdefault(key, {})
        if not isinstance(section, dict):
            raise RecipeError(f"[{key}] is not a section", expected=f"a [{key}] table", got=repr(section))
        raw = section
    raw[keys[-1]] = value
