"""Small models as Keras itself saves them, in every format: what hostile files are made of.

    python honest.py FOLDER CANARY

As a program, because it needs TensorFlow, and the tests that open hostile files must not have used it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from edgesqueeze.base.worker import environment

ARMED = "EDGESQUEEZE_TEST_ARMED"
"""Code in a model acts only where this is set, so that making the model is harmless."""


class Honest(NamedTuple):
    """The folder with the models.

    Attributes:
        folder: of the files.
    """

    folder: Path

    @property
    def keras3(self) -> Path:
        """Keras 3, ``.keras``: an input, a convolution, a flattening, a dense layer."""
        return self.folder / "keras3.keras"

    @property
    def keras3_h5(self) -> Path:
        """The same as ``.h5``."""
        return self.folder / "keras3.h5"

    @property
    def tf_keras(self) -> Path:
        """tf_keras, ``.keras``; the same layers."""
        return self.folder / "tf_keras.keras"

    @property
    def tf_keras_h5(self) -> Path:
        """The same as ``.h5``."""
        return self.folder / "tf_keras.h5"

    @property
    def operations(self) -> Path:
        """tf_keras, ``.h5``, with a TFOpLambda behind the input."""
        return self.folder / "operations.h5"

    @property
    def saved_model(self) -> Path:
        """tf_keras, a SavedModel folder."""
        return self.folder / "saved_model"

    def coded(self, container: str) -> Path:
        """A model with a Lambda layer, whose code writes the canary: ``keras3.keras``, ``tf_keras.h5`` ..."""
        return self.folder / f"coded_{container}"

    def graph(self, what: str) -> Path:
        """A SavedModel whose graph would do harm when it is loaded or called: ``prints``, ``writes`` ..."""
        return self.folder / f"graph_{what}"

    @property
    def exported(self) -> Path:
        """A SavedModel folder without Keras layers: one function and a variable."""
        return self.folder / "exported"

    def called(self, what: str) -> Path:
        """One whose function would do harm when it is called; as ``graph``, or ``keeps`` a state."""
        return self.folder / f"called_{what}"


def honest_models(folder: Path, canary: Path) -> Honest:
    """All of them, made in a process of its own.

    Args:
        folder: an empty folder.
        canary: what code in them writes.
    """
    command = [sys.executable, __file__, str(folder), str(canary)]
    subprocess.run(command, check=True, capture_output=True, env=environment())
    return Honest(folder)


GRAPHS = ("prints", "writes", "reads", "python", "table", "debugs")
CONTAINERS = ("keras3.keras", "keras3.h5", "tf_keras.keras", "tf_keras.h5", "tf_keras_saved_model")


def small(library: Any, extra: Any = None) -> Any:
    """A model of a few layers."""
    layers = library.layers
    first = image = library.Input((6, 6, 1), name="image")
    if extra is not None:
        image = extra(image)
    x = layers.Conv2D(2, 3, activation="relu", name="conv")(image)
    x = layers.Flatten(name="flat")(x)
    return library.Model(first, layers.Dense(3, activation="softmax", name="last")(x), name="small")


def make_honest(folder: Path, canary: Path) -> None:
    """Write all models."""
    import keras
    import tf_keras

    for library, name in ((keras, "keras3"), (tf_keras, "tf_keras")):
        model = small(library)
        model.compile(loss="mse")
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        code = library.layers.Lambda(_code(str(canary)), name="code", output_shape=(6, 6, 1))
        coded = small(library, code)
        coded.save(folder / f"coded_{name}.keras")
        coded.save(folder / f"coded_{name}.h5")
    coded.save(folder / "coded_tf_keras_saved_model", save_format="tf")
    small(tf_keras, lambda x: x * 2.0).save(folder / "operations.h5")
    small(tf_keras).save(folder / "saved_model", save_format="tf")
    for what in GRAPHS:
        _make_graph(what, folder / f"graph_{what}", str(canary))
    for what in (*GRAPHS, "keeps"):
        _make_function(folder / f"called_{what}", what, str(canary))
    _make_function(folder / "exported")


def _code(canary: str) -> Any:
    """A function whose code, alone, writes the canary."""
    armed = f"__import__('os').environ.get({ARMED!r})"
    return eval(f"lambda x: ({armed} and open({canary!r}, 'w').write('code'), x * 1.0)[1]")  # noqa: S307


def _act(what: str, canary: str) -> Any:
    """An operator that does harm, in the graph that is being made."""
    import tensorflow as tf

    if what == "prints":
        return tf.print("code", output_stream=f"file://{canary}")
    if what == "writes":
        return tf.io.write_file(canary, "code")
    if what == "reads":
        return tf.io.read_file(canary)
    if what == "python":
        return tf.numpy_function(lambda: 0.0, [], tf.float64)
    if what == "table":
        return tf.raw_ops.MatchingFiles(pattern=f"{canary}*")
    return tf.raw_ops.DebugIdentityV2(input=1.0, debug_urls=[f"file://{canary}"], tfdbg_run_id="x")


def _make_function(folder: Path, what: str = "", canary: str = "") -> None:
    """A SavedModel of one function, which does harm two functions and a loop further in."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.ones((4, 3)), name="weight")

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def inner(self, x: Any) -> Any:
            if what == "keeps":
                self.weight.assign_add(tf.ones((4, 3)))
            elif what:
                with tf.control_dependencies([_act(what, canary)]):
                    return x * 1.0
            return x * 1.0

        @tf.function(  # type: ignore[untyped-decorator]
            autograph=False, input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")]
        )
        def run(self, x: Any) -> Any:
            looped = tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, self.inner(y)), (0, x))
            return looped[1] @ self.weight

    module = Module()
    tf.saved_model.save(module, str(folder), signatures=module.run)


def _make_graph(what: str, folder: Path, canary: str) -> None:
    """A SavedModel with a resource whose initializer does harm; Keras's loader runs it."""
    import tensorflow as tf
    import tf_keras
    from tensorflow.python.trackable.resource import CapturableResource

    armed = os.environ.get(ARMED)

    class Resource(CapturableResource):  # type: ignore[misc]
        def _create_resource(self) -> Any:
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[])

        @tf.function  # type: ignore[untyped-decorator]
        def _initialize(self) -> Any:
            _act(what, canary)
            return tf.constant(1)

    assert not armed
    model = small(tf_keras)
    model.resource = Resource()
    model.resource.resource_handle  # noqa: B018
    model.save(folder, save_format="tf")


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    make_honest(Path(sys.argv[1]), Path(sys.argv[2]))
