"""A device that is ready to run jobs: a board over SSH, or this computer."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.given import expect
from edgesqueeze.base.worker import environment
from edgesqueeze.devices.channel import Answer, Channel
from edgesqueeze.devices.faults import INSTALL, TRY_AGAIN, clean, device_fault, lost
from edgesqueeze.devices.folders import temporary_folder
from edgesqueeze.devices.install import install_runtime
from edgesqueeze.devices.jobs import Job, JobResult
from edgesqueeze.devices.look import Device, device_of
from edgesqueeze.devices.results import result_of
from edgesqueeze.devices.ssh_connection import Connection, connect
from edgesqueeze.devices.ssh_host import Host
from edgesqueeze.devices.ssh_start import START_SECONDS, forget_script, start_program
from edgesqueeze.errors import DeviceError

AGENT = Path(__file__).with_name("agent.py")
LOCAL = "local"
ANSWER_SECONDS = 60.0
LOAD_SECONDS = 180.0
"""A slow memory card may take its time over a large runtime."""
SLOWEST_LINK = 100_000
"""Bytes per second below which a transfer counts as stuck."""


class Session:
    """A device with an agent that runs; ``open_session`` and ``open_local`` make one.

    Attributes:
        name: the host as it was typed, or ``local``.
        device: what the device is.
        ready_seconds: time until the device could take jobs, in seconds.
    """

    def __init__(self, name: str, open_agent: Callable[[], Channel], started: float) -> None:
        self.name = name
        self._open_agent = open_agent
        self._agent: Channel | None = None
        self.device = self.look()
        self.ready_seconds = time.monotonic() - started

    def look(self) -> Device:
        """What the device is, as it is now: clocks, temperature and load change."""
        return device_of(self._ask({"do": "look"}).get("look"))

    def works(self) -> bool:
        """Whether there is a runtime, and it can be loaded."""
        try:
            return "loaded" in self._ask({"do": "load"}, limit=LOAD_SECONDS)
        except DeviceError:
            return False

    def run(
        self, jobs: Sequence[Job], on_result: Callable[[JobResult], None] | None = None
    ) -> list[JobResult]:
        """Run jobs one after the other. A job that fails has its ``error``, and the others go on.

        Args:
            jobs: what to run; a model that several share is sent once, and not at all if it is there.
            on_result: is called with each result as it comes.

        Raises:
            DeviceError: no runtime there, no room for the models, or the connection or the agent is lost.
        """
        if not jobs:
            return []
        if not self.device.runtimes:
            raise DeviceError(
                f"{self.name} has no TFLite runtime",
                expected="ai-edge-litert, tflite-runtime or tensorflow in the Python there",
                got=f"Python {self.device.python_version} at {self.device.python_path} without any",
                hint=f"{INSTALL}; or install ai-edge-litert there yourself, for {self.device.python_path}",
            )
        self._send_models({job.sha256: job.content for job in jobs})
        results = []
        for job in jobs:
            results.append(self._run_one(job))
            if on_result:
                on_result(results[-1])
        return results

    def close(self) -> None:
        """End the agent."""
        agent, self._agent = self._agent, None
        if agent:
            with contextlib.suppress(DeviceError):
                agent.tell({"do": "end"}, timeout=1)
            agent.close()

    def _run_one(self, job: Job) -> JobResult:
        self._tell({"do": "limit", "seconds": job.time_limit + ANSWER_SECONDS})
        answer = self._ask(_message(job), packed(job.inputs), job.time_limit + ANSWER_SECONDS)
        try:
            return result_of(job, answer["result"])
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError, MemoryError) as error:
            raise DeviceError(
                f"{self.name} sent a result that makes no sense",
                expected="times, and outputs where they were asked for",
                got=clean(f"{type(error).__name__}: {error}"),
                hint=TRY_AGAIN,
            ) from error

    def _send_models(self, models: Mapping[str, bytes]) -> None:
        total = sum(map(len, models.values()))
        self._tell({"do": "limit", "seconds": ANSWER_SECONDS + 2 * total / SLOWEST_LINK})
        limit = ANSWER_SECONDS + total / SLOWEST_LINK
        missing = self._ask({"do": "have", "models": list(models)}, limit=limit).get("missing")
        if not isinstance(missing, list):
            raise DeviceError(
                f"{self.name} does not say which models it has",
                expected="a list of hashes",
                got=clean(repr(missing)),
                hint=TRY_AGAIN,
            )
        for sha256, content in models.items():
            if sha256 not in missing:
                continue
            limit = ANSWER_SECONDS + len(content) / SLOWEST_LINK
            self._ask({"do": "put", "sha256": sha256}, content, limit)

    def _tell(
        self, message: Mapping[str, Any], content: bytes = b"", limit: float = ANSWER_SECONDS
    ) -> Channel:
        if self._agent is None or self._agent.ended:
            self._end_agent()
            self._agent = self._open_agent()
            try:
                self._agent.answer(START_SECONDS)
            except BaseException:
                self._end_agent()
                raise
        self._agent.tell(message, content, limit)
        return self._agent

    def _ask(self, message: Mapping[str, Any], content: bytes = b"", limit: float = ANSWER_SECONDS) -> Answer:
        try:
            return self._tell(message, content, limit).answer(limit)
        except BaseException:
            # Whatever it would still say is not the answer to the next question.
            self._end_agent()
            raise

    def _end_agent(self) -> None:
        agent, self._agent = self._agent, None
        if agent:
            agent.close()


@contextlib.contextmanager
def open_session(host: Host, install: bool = False) -> Iterator[Session]:
    """Log in to a board and start the agent there; everything of it ends with the context.

    Args:
        host: from ``parse_host``.
        install: put a runtime into a folder of its own on the device if it has none that works.

    Raises:
        UsageError: that is no Host.
        MissingToolError: there is no ``ssh``.
        ConnectError: the board cannot be reached, is not known, or does not let us in.
        DeviceError: no Python there, or something else fails.
    """
    expect(host, Host, "a Host", "edgesqueeze.parse_host makes one from user@host")
    started = time.monotonic()
    with connect(host) as connection:
        session = Session(host.destination, lambda: _open_agent(connection), started)
        try:
            if install and not session.works():
                session.close()
                install_runtime(connection)
                session = Session(host.destination, lambda: _open_agent(connection), started)
            yield session
        finally:
            session.close()


@contextlib.contextmanager
def open_local() -> Iterator[Session]:
    """The same on this computer, without SSH, in this Python. Models go to a temporary folder."""
    started = time.monotonic()
    with temporary_folder() as folder:

        def open_agent() -> Channel:
            return Channel(
                [sys.executable, str(AGENT), str(folder)],
                lambda status, said: lost("this computer", status, said),
                lambda fault: device_fault("this computer", fault),
                environment(),
            )

        session = Session(LOCAL, open_agent, started)
        try:
            yield session
        finally:
            session.close()


def forget(host: Host) -> bool:
    """Remove the folder that measuring left on a board: models, the agent, an installed runtime.

    Returns:
        Whether there was one.

    Raises:
        ConnectError: the board cannot be reached.
        DeviceError: it cannot be removed.
    """
    with connect(host) as connection, connection.open_shell() as shell:
        shell.send(forget_script(), START_SECONDS)
        return bool(shell.answer(START_SECONDS).get("forgot"))


def _open_agent(connection: Connection) -> Channel:
    channel = connection.open_shell()
    try:
        start_program(channel, AGENT.read_bytes())
    except BaseException:
        channel.close()
        raise
    return channel


def _message(job: Job) -> dict[str, Any]:
    sent = {field.name: getattr(job, field.name) for field in fields(job)}
    del sent["content"], sent["inputs"]
    return {
        "do": "job",
        "size": 0,
        "limit_seconds": job.time_limit,
        **sent,
    }


def packed(inputs: Sequence[npt.NDArray[Any]] | None) -> bytes:
    """Arrays as the bytes of an .npz."""
    if inputs is None:
        return b""
    content = io.BytesIO()
    np.savez(content, **{f"input_{i}": value for i, value in enumerate(inputs)})  # type: ignore[arg-type]
    return content.getvalue()
