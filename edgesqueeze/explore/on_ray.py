"""Tasks on a Ray cluster. A worker that is lost is replaced, and its task is done again."""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesqueeze.base.worker import PACKAGE_ROOT
from edgesqueeze.errors import ConnectError, EdgeSqueezeError, MissingToolError, UnsupportedModelError
from edgesqueeze.explore.processes import ATTEMPTS, check_travels
from edgesqueeze.explore.tasks import Answer, Facts, Order, Task

CONNECT_SECONDS = 5.0
LOCAL = "local"
"""Address of a cluster that is started on this computer, and ends with the search."""


class OnRay:
    """Actors of a Ray cluster, each with the model opened for itself.

    The files of the model and the data travel with the order; the nodes need EdgeSqueeze and TensorFlow.

    Attributes:
        size: number of actors.
        facts: what the first of them found when it opened the model.

    Args:
        order: what to work on; the model and the data by their paths or names.
        address: address of the cluster, ``HOST:PORT``, ``ray://HOST:PORT`` or ``auto``; ``local`` starts one.
        size: number of actors; 0: one for each processor of the cluster.

    Raises:
        ConnectError: there is no cluster at the address.
        MissingToolError: Ray is not installed.
        EdgeSqueezeError: see ``workshop.Workshop``.
    """

    def __init__(self, order: Order, address: str, size: int) -> None:
        check_travels(order)
        self._ray = _connected(address)
        try:
            self.size = size or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
            self._packed = self._ray.put(pack(order))
            self._actors = [self._new() for _ in range(self.size)]
            self._running: dict[Any, tuple[int, int, Task, int]] = {}
            self.facts = self._opened()
        except BaseException:
            self.close()
            raise

    def start(self, key: int, task: Task) -> None:
        """Give a task to an actor that has none."""
        busy = {place for _, place, _, _ in self._running.values()}
        place = next(i for i in range(self.size) if i not in busy)
        self._begin(key, place, task, 1)

    def wait(self) -> Sequence[tuple[int, Answer]]:
        """The tasks that are done."""
        done: list[tuple[int, Answer]] = []
        while not done:
            ready, _ = self._ray.wait(list(self._running), num_returns=1)
            for one in ready:
                key, place, task, attempts = self._running.pop(one)
                try:
                    done.append((key, self._ray.get(one)))
                except self._ray.exceptions.RayActorError:
                    self._actors[place] = self._new()
                    if attempts < ATTEMPTS:
                        self._begin(key, place, task, attempts + 1)
                    else:
                        done.append((key, Answer(error=_lost())))
        return done

    def close(self) -> None:
        """Leave the cluster, which ends the actors."""
        self._ray.shutdown()

    def _new(self) -> Any:
        return self._ray.remote(num_cpus=1)(_Actor).remote(self._packed)

    def _begin(self, key: int, place: int, task: Task, attempts: int) -> None:
        self._running[self._actors[place].do.remote(task)] = (key, place, task, attempts)

    def _opened(self) -> Facts:
        try:
            found = self._ray.get(self._actors[0].facts.remote())
        except self._ray.exceptions.RayActorError as error:
            raise UnsupportedModelError(
                "the cluster's workers die when they open the model",
                got=str(error).strip().splitlines()[0],
                hint="EdgeSqueeze must be installed on the nodes, with what compress needs",
            ) from error
        if isinstance(found, EdgeSqueezeError):
            raise found
        assert isinstance(found, Facts)
        return found


class _Actor:
    """A process on a node."""

    def __init__(self, packed: Packed) -> None:
        from edgesqueeze.explore.workshop import Workshop

        self._folder = tempfile.TemporaryDirectory(prefix="edgesqueeze-")
        self._error: EdgeSqueezeError | None = None
        try:
            self._shop = Workshop(packed.unpacked(Path(self._folder.name)))
        except EdgeSqueezeError as error:
            self._error = error

    def facts(self) -> Facts | EdgeSqueezeError:
        """What was found when the model was opened, or why it could not be."""
        return self._error or self._shop.facts

    def do(self, task: Task) -> Answer:
        """Do a task."""
        return self._shop.do(task)


@dataclasses.dataclass(frozen=True)
class Packed:
    """An order with the files that it names.

    Attributes:
        order: what to work on.
        files: content of each file by the name of the order's field and the path in it.
    """

    order: Order
    files: Mapping[tuple[str, str], bytes]

    def unpacked(self, folder: Path) -> Order:
        """The order, with its files in a folder of this computer."""
        places: dict[str, Any] = {}
        for (field, name), content in self.files.items():
            path = folder / field / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            places[field] = str(folder / field / Path(name).parts[0])
        return dataclasses.replace(self.order, **places)


def pack(order: Order) -> Packed:
    """An order with the files and folders that its model and data name; what is no path stays a name."""
    files: dict[tuple[str, str], bytes] = {}
    for field in ("model", "data"):
        path = Path(getattr(order, field))
        if path.is_file():
            files[field, path.name] = path.read_bytes()
        elif path.is_dir():
            for one in sorted(path.rglob("*")):
                if one.is_file():
                    files[field, f"{path.name}/{one.relative_to(path).as_posix()}"] = one.read_bytes()
    return Packed(order, files)


def _connected(address: str) -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "a search on a cluster needs Ray, which is not installed",
            expected="the package ray",
            hint="pip install 'edgesqueeze[ray]', or search on this computer with --workers",
        ) from error
    _check_reachable(address)
    search_path = os.pathsep.join(filter(None, [PACKAGE_ROOT, os.environ.get("PYTHONPATH", "")]))
    try:
        ray.init(
            address=address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            include_dashboard=False if address == LOCAL else None,
            runtime_env={"env_vars": {"PYTHONPATH": search_path}},
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _unreachable(address, str(error).strip().splitlines()[0]) from error
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself tries for a minute before it says that nobody is there.

    Raises:
        ConnectError: nobody listens at the address.
    """
    if address in (LOCAL, "auto"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        raise _unreachable(address, "no host and port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, reason: str) -> ConnectError:
    return ConnectError(
        f"there is no Ray cluster at {address}",
        expected="HOST:PORT or ray://HOST:PORT of a running cluster, auto, or local to start one here",
        got=reason,
        hint="`ray start --head` starts one and prints its address",
    )


def _lost() -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{ATTEMPTS} workers of the cluster died of this recipe",
        expected="a worker that lives",
        hint="look at the memory of the nodes",
    )
