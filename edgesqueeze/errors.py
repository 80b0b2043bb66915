"""Every error that EdgeSqueeze raises on purpose.

    EdgeSqueezeError
    |-- UsageError                 wrong use or bad input (exit code 2)
    |   |-- ModelFileError         a model file that cannot be read as what it claims to be
    |   |   |-- UnsafeModelError   it would run code that is stored in the file
    |   |   |-- CustomLayerError   it needs a class that was not given
    |   |   `-- TfliteError        a .tflite that is malformed or outside the supported schema
    |   |-- UnsupportedModelError  a readable model with something that EdgeSqueeze cannot handle
    |   |-- DataError              data that do not fit the model
    |   |-- RecipeError            a recipe, or flags, that ask for something impossible
    |   |-- TargetError            an unknown target or a malformed profile
    |   |-- OutputError            an output location that cannot be written
    |   |-- ConnectError           a device that cannot be reached, or does not let us in
    |   `-- MissingToolError       a package or program that must be installed first
    `-- RequirementError           the model or device fails a stated requirement (exit code 1)
        |-- BridgeError            the rebuilt tf_keras model does not compute what the original does
        |-- FloatOperatorError     full-integer was asked for, and a float operator remains
        |-- FitError               the model does not fit the target
        |-- DeviceError            a device that we reached lacks something, or fails while it works for us
        |-- ParityError            two runtimes, or two models, disagree more than allowed
        |-- TroubleError           a model that runs, but does not do its job: its output is constant, say
        |-- AccuracyError          the accuracy drop is larger than allowed
        `-- NotFoundError          a search found no model that keeps to all limits

A message says what is wrong and, each on its own line where it applies, what was expected, what came
and what to do. The command line maps ``exit_code`` to the process's exit status in one place
(``cli/__init__.py``).
"""

from __future__ import annotations


class EdgeSqueezeError(Exception):
    """Base of all errors that EdgeSqueeze raises on purpose.

    Args:
        problem: what is wrong, in one sentence.
        expected: what would have been right.
        got: what came instead.
        hint: what the user can do about it.
    """

    exit_code = 2

    def __init__(self, problem: str, *, expected: str = "", got: str = "", hint: str = "") -> None:
        self.problem = problem
        self.expected = expected
        self.got = got
        self.hint = hint
        super().__init__(problem)

    def __str__(self) -> str:
        lines = [self.problem]
        for label, text in (("expected", self.expected), ("got", self.got), ("what to do", self.hint)):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)


class UsageError(EdgeSqueezeError):
    """Wrong use or bad input."""


class ModelFileError(UsageError):
    """A model file that cannot be read as what it claims to be."""


class UnsafeModelError(ModelFileError):
    """Loading the model would run code that is stored in its file."""


class CustomLayerError(ModelFileError):
    """The model needs a class that was not given."""


class TfliteError(ModelFileError):
    """A .tflite that is malformed or outside the supported schema."""


class UnsupportedModelError(UsageError):
    """A readable model with something that EdgeSqueeze cannot handle."""


class DataError(UsageError):
    """Data that do not fit the model."""


class RecipeError(UsageError):
    """A recipe, or flags, that ask for something impossible."""


class TargetError(UsageError):
    """An unknown target or a malformed profile."""


class ConnectError(UsageError):
    """A device that cannot be reached over SSH, or does not let us in."""


class OutputError(UsageError):
    """An output location that cannot be written."""


class MissingToolError(UsageError):
    """A package or program that must be installed first."""


class RequirementError(EdgeSqueezeError):
    """The model or device fails a stated requirement."""

    exit_code = 1


class BridgeError(RequirementError):
    """The rebuilt tf_keras model does not compute what the original does."""


class FloatOperatorError(RequirementError):
    """Full-integer quantization was asked for, and a float operator remains."""


class FitError(RequirementError):
    """The model does not fit the target."""


class DeviceError(RequirementError):
    """A device that we reached lacks something, or fails while it works for us."""


class ParityError(RequirementError):
    """Two runtimes, or two models, disagree more than allowed."""


class TroubleError(RequirementError):
    """A model that runs, but whose outputs cannot be right."""


class AccuracyError(RequirementError):
    """The accuracy drop is larger than allowed."""


class NotFoundError(RequirementError):
    """A search found no model that keeps to all limits."""
