"""The sections of a recipe as frozen and validated records: what a user may ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgesqueeze.base.records import Record

QuantizeMode = Literal["int8", "int16x8", "float16", "dynamic", "none"]
CalibrationMethod = Literal["minmax", "percentile", "mse", "entropy"]
Calibration = Literal[CalibrationMethod, "best"]
IoType = Literal["int8", "uint8", "float32"]
FirstAndLast = Literal["auto", "include", "exclude"]
Augmentation = Literal["mix", "noise", "flip", "shift", "brightness"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerFeature = Finite | Annotated[tuple[Finite, ...], Field(min_length=1)]
Pattern = Annotated[str, Field(min_length=1)]
Structure = Literal["unstructured", "device", "2:4", "block"]


class Equalize(Record):
    """Cross-layer equalization (Nagel et al., 2019, arXiv:1906.04721).

    Attributes:
        clipped: a clip at 6 is taken away where it changes no larger share of the positive values.
        include: patterns (``*``, ``?``) of layer names or classes whose outputs may be divided.
        exclude: patterns of layers whose outputs stay though they are included.
    """

    clipped: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.001
    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()


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
        budget_kib: most that the weights of all kernels may take in the file, in KiB: as few kernels take
            four bits as keep to it, those that cost the outputs least; null: all take them.
        max_error: most that the kernels of four bits may change the outputs before training, as a share of
            the outputs' variance: as many take four bits as keep to it; null: all take them.
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
        first_and_last: whether the first and the last layer take part; ``auto``: unless they are small.
    """

    weights: Literal[4] = 4
    budget_kib: Positive | None = None
    max_error: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()
    first_and_last: FirstAndLast = "auto"

    @model_validator(mode="after")
    def _one_budget(self) -> Bits:
        if self.budget_kib is not None and self.max_error is not None:
            raise ValueError("budget_kib and max_error both say how many kernels take four bits: give one")
        return self


class Round(Record):
    """Adaptive rounding (Nagel et al., 2020, arXiv:2004.10568): integers chosen by what the layers give.

    Attributes:
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
    """

    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()


class Bias(Record):
    """Biases that make up for the mean error of integers (Nagel et al., 2019, arXiv:1906.04721).

    Attributes:
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
    """

    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()


class Aware(Record):
    """Quantization-aware training: weights and activations are rounded as in the file while trained.

    Attributes:
        learn_ranges: whether the ranges of activations are trained too; else they stay what calibration
            found.
    """

    learn_ranges: bool = True


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
            to images ``flip`` (left to right), ``shift``, ``brightness``. Null: they are mixed, and get more
            noise, where the original's outputs say little about them.
    """

    epochs: Annotated[int, Field(ge=0, le=10_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    loss: Pattern = "distill"
    labels: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    augment: tuple[Augmentation, ...] | None = None

    @model_validator(mode="after")
    def _labels_go_with_the_rest(self) -> Finetune:
        if self.labels and self.loss != "distill":
            raise ValueError(f"labels are mixed into the loss distill, but the loss is {self.loss}")
        if "mix" in (self.augment or ()) and (self.labels or self.loss != "distill"):
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
        calibration: what the range of an activation is: ``minmax``, all that the samples show;
            ``percentile``, a share of it; ``mse``, what has the least squared error; ``entropy``, what
            integers tell the most of; or ``best``, for each tensor the one that has the least error on other
            samples.
        percentile: share of the values of an activation that its range has for ``percentile``, 0.5 to 1.
    """

    mode: QuantizeMode | None = None
    io: IoType | None = None
    calibration_samples: Annotated[int, Field(ge=1, le=100_000)] = 200
    calibration: Calibration = "minmax"
    percentile: Annotated[float, Field(ge=0.5, le=1, allow_inf_nan=False)] = 0.9999


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
        equalize: cross-layer equalization; null for none.
        channels: structured pruning; null for none.
        prune: pruning; null for none.
        cluster: weight clustering; null for none.
        bits: kernels of four bits; null for eight.
        round: adaptive rounding; null for rounding to the nearest integer.
        bias: correction of biases; null for none.
        aware: quantization-aware training; null for none.
        finetune: how the compressed model is trained.
        quantize: what the .tflite holds.
        data: how raw data become the model's input.
        limits: what the result must satisfy.
    """

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    equalize: Equalize | None = None
    channels: Channels | None = None
    prune: Prune | None = None
    cluster: Cluster | None = None
    bits: Bits | None = None
    round: Round | None = None
    bias: Bias | None = None
    aware: Aware | None = None
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
    def _integers_are_asked_for(self) -> Recipe:
        mode = self.quantize.mode
        for name in ("equalize", "bias"):
            if getattr(self, name) and mode not in (None, "int8", "int16x8"):
                raise ValueError(f"{name} goes with mode int8 or int16x8, but mode is {mode}")
        calibration = self.quantize.calibration
        if calibration != "minmax" and mode not in (None, "int8"):
            raise ValueError(f"calibration = {calibration} goes with mode int8, but mode is {mode}")
        if self.round and mode in ("float16", "none"):
            raise ValueError(f"round chooses integers, but with mode {mode} there are none")
        return self

    @model_validator(mode="after")
    def _four_bits_are_for_int8(self) -> Recipe:
        if self.bits and self.quantize.mode not in (None, "int8"):
            raise ValueError(f"weights of 4 bits go with mode int8, but mode is {self.quantize.mode}")
        return self

    @model_validator(mode="after")
    def _aware_of_int8(self) -> Recipe:
        if self.aware and self.quantize.mode not in (None, "int8"):
            raise ValueError(f"aware trains for mode int8, but mode is {self.quantize.mode}")
        return self
