"""Damaged inputs for everything that reads what strangers made, without end and always the same.

Whatever comes in, a reader gives a result or raises the error that it documents, in bounded time and memory.
"""

from __future__ import annotations

import base64
import io
import json
import queue
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgesqueeze.base.npy import read_arrays
from edgesqueeze.base.toml import parse_toml
from edgesqueeze.devices.agent import look
from edgesqueeze.devices.channel import MARK, Channel
from edgesqueeze.devices.faults import device_fault, lost
from edgesqueeze.devices.jobs import Job
from edgesqueeze.devices.session import Session
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.recipe.read import FILE as RECIPE_FILE
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.target.load import parse_target, shipped_folder
from runtime_tests.support import tflite_builder

LARGE = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 62)
RECIPE = b"""seed = 3
[prune]
sparsity = 0.5
structure = "2:4"
include = ["conv*"]
[cluster]
clusters = 16
init = "linear"
[finetune]
epochs = 2
learning_rate = 1e-3
[quantize]
mode = "int8"
io = "int8"
[limits]
max_accuracy_drop = 0.01
"""
JOB = Job(name="model", content=b"TFL3", inputs=None, threads=1, want_outputs=True)


class Reader(NamedTuple):
    """Something that reads what strangers made.

    Attributes:
        seeds: honest inputs.
        words: pieces that mean something to it.
        read: reads an input.
        refusals: what it raises on purpose.
    """

    seeds: Sequence[bytes]
    words: Sequence[bytes]
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]


class Tally(NamedTuple):
    """What became of many inputs.

    Attributes:
        read: number of inputs that were read.
        refused: number of inputs that were refused.
        slowest_seconds: most processor time that one input took, in seconds.
        faults: the first inputs that raised something else, with what it was.
    """

    read: int
    refused: int
    slowest_seconds: float
    faults: tuple[tuple[bytes, str], ...]


def readers(folder: Path) -> Mapping[str, Reader]:
    """All readers by name.

    Args:
        folder: for the files of those that read files.
    """
    refused = (EdgeSqueezeError,)
    models = [getattr(tflite_builder, name)() for name in ("tiny_cnn", "tiny_dense", "tiny_two_heads")]
    targets = [path.read_bytes() for path in sorted(shipped_folder().glob("*.toml"))[:4]]
    toml = (b"=", b"[", b"]", b"[[", b'"', b"\n", b"nan", b"inf", b"-", b"'''", b"1979-05-27", b"{}", b".")
    marks = (b"{", b"}", b"[", b"]", b'"', b"null", b"NaN", b"1e999", b"-1", b"\\ud800", b":", b",")
    return {
        "tflite": Reader(models, (b"TFL3", b"\xff" * 4, b"\x00" * 8), parse_tflite, refused),
        "npz": Reader(
            _arrays(),
            (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"'shape': ", b"|O", b"("),
            lambda content: _read_npz(content, folder / "input.npz"),
            (OSError, ValueError),
        ),
        "recipe": Reader([RECIPE], toml, _read_recipe, refused),
        "target": Reader(targets, toml, lambda content: parse_target(_text(content), "name"), refused),
        "protocol": Reader(_sessions(), marks, _read_session, refused),
    }


def fuzz(reader: Reader, count: int, seed: int) -> Tally:
    """Read so many damaged inputs.

    Args:
        reader: what reads them.
        count: number of inputs.
        seed: decides which.
    """
    read = refused = 0
    slowest, faults = 0.0, []
    for content in damaged(reader.seeds, reader.words, count, seed):
        start = _spent()
        try:
            reader.read(content)
            read += 1
        except reader.refusals:
            refused += 1
        except Exception as error:
            faults.append((content, f"{type(error).__name__}: {error}"[:200]))
        slowest = max(slowest, _spent() - start)
    return Tally(read, refused, slowest, tuple(faults[:5]))


def _spent() -> float:
    """Processor time of this process and of the children that it has waited for, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def damaged(seeds: Sequence[bytes], words: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """So many damaged copies of honest inputs."""
    rng = random.Random(seed)
    for _ in range(count):
        content = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            _damage(content, seeds, words, rng)
        yield bytes(content)


def _damage(content: bytearray, seeds: Sequence[bytes], words: Sequence[bytes], rng: random.Random) -> None:
    if not content:
        content += rng.choice(words)
    at = rng.randrange(len(content))
    end = min(len(content), at + rng.choice((1, 2, 8, 64)))
    way = rng.randrange(8)
    if way == 0:
        content[at] ^= 1 << rng.randrange(8)
    elif way == 1:
        content[at] = rng.randrange(256)
    elif way == 2:
        size = rng.choice((2, 4, 8))
        content[at : at + size] = (rng.choice(LARGE) & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    elif way == 3:
        del content[at:end]
    elif way == 4:
        content[at:at] = content[at:end] * rng.choice((1, 2, 50))
    elif way == 5:
        content[at:at] = rng.choice(words) * rng.choice((1, 1, 3, 300))
    elif way == 6:
        other = rng.choice(seeds)
        start = rng.randrange(len(other))
        content[at:end] = other[start : start + end - at]
    else:
        del content[at:]


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _read_npz(content: bytes, path: Path) -> object:
    path.write_bytes(content)
    return read_arrays(path)


def _read_recipe(content: bytes) -> object:
    return parse_recipe(parse_toml(_text(content), "recipe.toml", RECIPE_FILE), "recipe.toml")


class _Replayed(Channel):
    """A channel to a program that says these lines, whatever it is asked."""

    ended = False

    def __init__(self, said: bytes) -> None:
        self._lost = lambda status, text: lost("board", status, text)
        self._fault = lambda answer: device_fault("board", answer)
        self._status, self._taken = None, 0
        self._lines = queue.SimpleQueue()
        for line in (*io.BytesIO(said), None):
            self._lines.put(line)

    def tell(self, message: Mapping[str, Any], content: bytes = b"", timeout: float = 60.0) -> None:
        pass

    def failure(self, hangs: bool = False) -> EdgeSqueezeError:
        return self._lost(None if hangs else 1, "")

    def close(self, grace: float = 2.0) -> None:
        pass


def _read_session(content: bytes) -> object:
    session = Session("board", lambda: _Replayed(content), time.monotonic())
    return session.run([JOB])


def _arrays() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, x_train=np.arange(60.0).reshape(5, 12), y_train=np.arange(5), names=np.array(["a", "b"]))
        found.append(stream.getvalue())
    stream = io.BytesIO()
    np.save(stream, np.zeros((3, 4), np.int8))
    return [*found, stream.getvalue()]


def _sessions() -> list[bytes]:
    """All that a board says: that it is ready, what it is, that it has the model, and what came of it."""
    array = io.BytesIO()
    np.save(array, np.arange(4, dtype=np.float32))
    result: dict[str, Any] = {
        "name": "model",
        "threads": 1,
        "error": "",
        "runtime": "ai-edge-litert",
        "runtime_version": "2.1",
        "load_ns": 12345678,
        "times_ns": [1000000, 1100000],
        "busy_ns": 2100000,
        "sustained": [[1.0, 1000000, 50.0, 1500.0, False], [2.0, 1100000, None, None, None]],
        "steady": True,
        "outputs": [base64.b64encode(array.getvalue()).decode()],
        "peak_rss_bytes": 1 << 24,
        "notes": ["INFO: ready"],
    }
    here = {**look(tempfile.gettempdir()), "runtimes": {"ai-edge-litert": "2.1"}}
    failed = {"name": "model", "threads": 1, "error": "not enough memory"}
    return [
        b"Welcome to the board\n"
        + b"".join(
            MARK + json.dumps(answer).encode() + b"\n"
            for answer in ({"ready": True}, {"look": here}, {"missing": missing}, *put, {"result": told})
        )
        for told, missing, put in ((result, [], ()), (failed, [JOB.sha256], ({"kept": True},)))
    ]
