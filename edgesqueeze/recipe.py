"""What to do to a model: a TOML recipe, flags on top of it, as frozen and validated records.

A recipe with every key at its default::

    seed = 0

    [prune]                        # leave the section out for no pruning
    sparsity = 0.5                 # share of each kernel that becomes zero
    schedule = "polynomial"        # or "constant"
    structure = "unstructured"     # or "2:4", or "block"
    block = [1, 4]                 # rows and columns, for structure = "block"
    include = ["*"]                # layer names or classes, with * and ?
    exclude = []
    first_and_last = "auto"        # or "include", "exclude"; see squeeze/passes/selection.py

    [cluster]                      # leave the section out for no clustering
    clusters = 16                  # distinct values of a whole kernel, zero included
    init = "kmeans++"              # or "linear", "random", "density"
    include = ["*"]
    exclude = []
    first_and_last = "auto"

    [finetune]
    epochs = 4                     # over all training stages together; 0 trains nothing
    batch_size = 64
    learning_rate = 5e-3
    loss = "distill"               # or the name of a Keras loss, which needs labels

    [quantize]
    mode = "int8"                  # "int16x8", "float16", "dynamic", "none"; the target's preference if unset
    io = "int8"                    # "uint8", "float32"; the target's preference if unset
    calibration_samples = 200

    [data]
    scale = 1.0                    # input = raw * scale + offset
    offset = 0.0
    evaluation_samples = 2000      # how many test samples the result is judged on, at most

    [limits]
    max_accuracy_drop = 0.01       # a share: 0.01 is one point; unset for no limit
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from edgesqueeze.base.given import path_of, wrong_kind
from edgesqueeze.base.records import Record
from edgesqueeze.base.toml import FileKind, check_record, read_toml
from edgesqueeze.errors import RecipeError

FILE = FileKind("recipe", RecipeError, "`python -m pydoc edgesqueeze.recipe` lists all keys")

QuantizeMode = Literal["int8", "int16x8", "float16", "dynamic", "none"]
IoType = Literal["int8", "uint8", "float32"]
FirstAndLast = Literal["auto", "include", "exclude"]
Pattern = Annotated[str, Field(min_length=1)]


class Prune(Record):
    """Magnitude pruning with TFMOT (Zhu and Gupta, 2017, arXiv:1710.01878)."""

    sparsity: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    schedule: Literal["polynomial", "constant"] = "polynomial"
    structure: Literal["unstructured", "2:4", "block"] = "unstructured"
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
    """Weight clustering with TFMOT (Han, Mao and Dally, 2016, arXiv:1510.00149)."""

    clusters: Annotated[int, Field(ge=2, le=255)] = 16
    init: Literal["kmeans++", "linear", "random", "density"] = "kmeans++"
    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()
    first_and_last: FirstAndLast = "auto"


class Finetune(Record):
    """How the compressed model learns to do its job again."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 4
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 5e-3
    loss: Pattern = "distill"


class Quantize(Record):
    """What the .tflite holds. Unset fields take the target's preference."""

    mode: QuantizeMode | None = None
    io: IoType | None = None
    calibration_samples: Annotated[int, Field(ge=1, le=100_000)] = 200


class DataOptions(Record):
    """How raw data become the model's input, ``raw * scale + offset``, and how many judge the result."""

    scale: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    evaluation_samples: Annotated[int, Field(ge=1)] = 2000

    @model_validator(mode="after")
    def _scale_is_not_zero(self) -> DataOptions:
        if self.scale == 0:
            raise ValueError("scale is 0, which turns every sample into the same value")
        return self


class Limits(Record):
    """What the result must satisfy; a miss is exit code 1."""

    max_accuracy_drop: Annotated[float, Field(ge=0, le=1)] | None = None


class Recipe(Record):
    """Everything that ``compress`` does, in one record."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    prune: Prune | None = None
    cluster: Cluster | None = None
    finetune: Finetune = Finetune()
    quantize: Quantize = Quantize()
    data: DataOptions = DataOptions()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _room_for_zero(self) -> Recipe:
        if self.prune and self.cluster and self.cluster.clusters < 3:
            raise ValueError("a pruned kernel needs at least 3 clusters: zero, and one on each side of it")
        return self


SECTIONS: Mapping[str, type[BaseModel]] = {
    "prune": Prune,
    "cluster": Cluster,
    "finetune": Finetune,
    "quantize": Quantize,
    "data": DataOptions,
    "limits": Limits,
}

# Flag of the command line -> where it goes.
FLAGS: Mapping[str, tuple[str, ...]] = {
    "sparsity": ("prune", "sparsity"),
    "clusters": ("cluster", "clusters"),
    "quantize": ("quantize", "mode"),
    "io": ("quantize", "io"),
    "epochs": ("finetune", "epochs"),
    "seed": ("seed",),
    "max_accuracy_drop": ("limits", "max_accuracy_drop"),
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
