"""The half of EdgeSqueeze that needs TensorFlow. Nothing outside this package imports it."""

from __future__ import annotations

import importlib.util
import logging
import os

from edgesqueeze.base.quiet import quiet
from edgesqueeze.errors import MissingToolError

# TensorFlow's greetings on stderr say nothing that a user of this program can act on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

_missing = [
    package
    for module, package in (
        ("tensorflow", "tensorflow"),
        ("tf_keras", "tf-keras"),
        ("keras", "keras"),
        ("tensorflow_model_optimization", "tensorflow-model-optimization"),
    )
    if importlib.util.find_spec(module) is None
]
if _missing:
    raise MissingToolError(
        f"Keras models need TensorFlow, and these packages are not installed: {', '.join(_missing)}",
        hint="pip install 'edgesqueeze[compress]'",
    )

with quiet():
    # The library's own greetings, and its search for a GPU, write past every Python logger.
    import tensorflow as _tf

    _tf.config.list_physical_devices()
    import tensorflow_model_optimization as _tfmot  # noqa: F401

logging.getLogger("tensorflow").setLevel(logging.ERROR)


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, so that the same inputs give the same bytes."""
    import tf_keras

    tf_keras.utils.set_random_seed(seed)
