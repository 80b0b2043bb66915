"""A program that we talk with over its stdin and stdout: lines of JSON, each with a time limit."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import select
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import IO, Any

from edgesqueeze.errors import DeviceError, EdgeSqueezeError

MARK = b"@edgesqueeze@ "
MAX_LINE = 1 << 28
SAID_LINES = 40

Answer = dict[str, Any]
Lost = Callable[[int | None, str], EdgeSqueezeError]
Fault = Callable[[Answer], EdgeSqueezeError]


_open: weakref.WeakKeyDictionary[Channel, int] = weakref.WeakKeyDictionary()


class Channel:
    """A running program. Use it as a context manager, or ``close`` it.

    Args:
        command: what to run.
        lost: makes the error from the exit status (None: it hangs) and the last words on stderr, when the
            program ends or stops answering before it should.
        fault: makes the error from an answer that reports one.
        environment: the program's; this process's own if None.
    """

    def __init__(
        self,
        command: Sequence[str],
        lost: Lost,
        fault: Fault,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # A session of its own: Ctrl-C comes to us alone, and we end it in order.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=environment,
        )
        self._lost, self._fault = lost, fault
        _open[self] = threading.get_ident()
        self._status: int | None = None
        self._said: collections.deque[bytes] = collections.deque(maxlen=SAID_LINES)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # Bytes; each has one thread that writes it.
        self._read = self._taken = 0
        self._closed = False
        assert self._process.stdin and self._process.stdout and self._process.stderr
        os.set_blocking(self._process.stdin.fileno(), False)
        self._threads = [
            _start(self._read_stdout, self._process.stdout),
            _start(self._read_stderr, self._process.stderr),
        ]

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def said(self) -> str:
        """The last lines that the program wrote to stderr."""
        return b"".join(self._said).decode("utf-8", "replace")

    def send(self, content: bytes, timeout: float) -> None:
        """Write to the program's stdin.

        Raises:
            EdgeSqueezeError: what ``lost`` makes of it: the program is gone, or does not read; what ``fault``
                makes of what it has told before.
        """
        if not self.offer(content, timeout):
            raise self._told()

    def offer(self, content: bytes, timeout: float) -> bool:
        """The same; False if the program is gone."""
        assert self._process.stdin
        descriptor, until, rest = (
            self._process.stdin.fileno(),
            time.monotonic() + timeout,
            memoryview(content),
        )
        while rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([], [descriptor], [], left)[1]:
                raise self.failure(hangs=True)
            try:
                rest = rest[os.write(descriptor, rest[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except OSError:
                return False
        return True

    def tell(self, message: Mapping[str, Any], content: bytes = b"", timeout: float = 60.0) -> None:
        """Send one message, with bytes behind it."""
        sized = {**message, "size": len(content)} if content else message
        self.send(json.dumps(sized).encode() + b"\n" + content, timeout)

    def answer(self, timeout: float) -> Answer:
        """The next answer. Lines without the marker are skipped.

        Raises:
            EdgeSqueezeError: what ``lost`` makes of it: the program ended, or the time is over; what
                ``fault`` makes of an answer that reports one.
            DeviceError: an answer that makes no sense.
        """
        until = time.monotonic() + timeout
        while True:
            try:
                line = self._next(until)
            except queue.Empty:
                raise self.failure(hangs=True) from None
            if line is None:
                self._lines.put(None)
                raise self.failure()
            _, mark, text = line.partition(MARK)
            if not mark:
                continue
            try:
                answer = json.loads(text)
            except (ValueError, RecursionError):
                answer = None
            if not isinstance(answer, dict):
                raise DeviceError(
                    "the device sent an answer that makes no sense",
                    expected="a JSON object",
                    got=repr(text[:100]),
                    hint="try again; its login shell should print nothing of its own",
                )
            if isinstance(answer.get("status"), int):
                self._status = answer["status"]
                continue
            if "fault" in answer:
                raise self._fault(answer)
            return answer

    def raw_line(self, timeout: float) -> bytes | None:
        """The next line as it is; None at the end, or when the time is over."""
        try:
            return self._next(time.monotonic() + timeout)
        except queue.Empty:
            return None

    @property
    def told_status(self) -> int | None:
        """The exit status that the script of ``ssh_start`` has told, if it has come so far."""
        return self._status

    def fault(self, answer: Answer) -> EdgeSqueezeError:
        """The error for a fault, as if the program had told it."""
        return self._fault(answer)

    @property
    def ended(self) -> bool:
        """Whether the program is gone."""
        return self._process.poll() is not None

    def wait_for_end(self, timeout: float = 2.0) -> int | None:
        """The exit status, beyond 128 for signals; None if the program goes on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(timeout)
            return 128 - status if status < 0 else status
        return None

    def failure(self, hangs: bool = False) -> EdgeSqueezeError:
        """The error for a program that is gone, or hangs."""
        if hangs:
            return self._lost(None, self.said)
        status = self.wait_for_end()
        self._threads[1].join(1)
        return self._lost(status if self._status is None else self._status, self.said)

    def kill(self) -> None:
        """End the program at once, from any thread."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self, grace: float = 2.0) -> None:
        """End the program: its stdin ends, and after the grace it is killed."""
        process = self._process
        assert process.stdin
        self._closed = True
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join(1)
        for stream in (process.stdout, process.stderr):
            if stream and not any(thread.is_alive() for thread in self._threads):
                stream.close()

    def _told(self) -> EdgeSqueezeError:
        """The program closed its stdin: what it said about that, or how it ended."""
        try:
            while True:
                self.answer(2.0)
        except EdgeSqueezeError as error:
            return error

    def _next(self, until: float) -> bytes | None:
        """The next line; ``queue.Empty`` when the time is over, also while lines go on coming."""
        left = until - time.monotonic()
        if left <= 0:
            raise queue.Empty
        line = self._lines.get(timeout=left)
        self._taken += len(line or b"")
        return line

    def _read_stdout(self, stream: IO[bytes]) -> None:
        for line in _lines(stream):
            self._read += len(line)
            self._lines.put(line)
            # A device that talks without end waits for us, and does not fill this computer's memory.
            while self._read - self._taken > MAX_LINE and not self._closed:
                time.sleep(0.01)
        self._lines.put(None)

    def _read_stderr(self, stream: IO[bytes]) -> None:
        self._said.extend(_lines(stream, 4096))


def end_channels(threads: Set[int | None]) -> None:
    """Kill the programs that these threads have started; whoever waits for an answer gets an error."""
    for channel, thread in list(_open.items()):
        if thread in threads:
            channel.kill()


def _lines(stream: IO[bytes], limit: int = MAX_LINE) -> Iterator[bytes]:
    with contextlib.suppress(OSError, ValueError):
        while line := stream.readline(limit):
            yield line


def _start(work: Callable[[IO[bytes]], None], stream: IO[bytes]) -> threading.Thread:
    thread = threading.Thread(target=work, args=(stream,), daemon=True)
    thread.start()
    return thread
