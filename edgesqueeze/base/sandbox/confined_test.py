"""What a confined process cannot do, tried on the kernel that runs the tests."""

import ctypes
import mmap
import os
import platform
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from edgesqueeze.base.sandbox import landlock, seccomp
from edgesqueeze.base.sandbox.confined import Bounds, in_force, run_confined

BOUNDS = Bounds(memory_bytes=200 << 20, cpu_seconds=5, file_bytes=1 << 20)
SYSTEM = tuple(map(Path, ("/proc", "/usr", "/lib", "/lib64", os.__file__.rsplit("/", 1)[0])))

needs_seccomp = pytest.mark.skipif(not seccomp.available(), reason="this kernel has no seccomp filters")
needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")


def confined(work, bounds=BOUNDS, readable=SYSTEM, **options):
    return run_confined(work, bounds=bounds, readable=readable, **options)


def test_the_result_comes_back_with_what_it_took():
    outcome = confined(lambda: {"sum": sum(range(10)), "text": "größe"})
    assert (outcome.result, outcome.signal) == ({"sum": 45, "text": "größe"}, 0)
    assert outcome.cpu_seconds < 5
    assert outcome.peak_rss_bytes > 1 << 20


def test_a_function_that_fails_gives_none():
    outcome = confined(lambda: 1 // 0)
    assert (outcome.result, outcome.signal) == (None, 0)
    assert confined(lambda: object()).result is None


def test_a_result_without_end_is_none():
    assert confined(lambda: "x" * (4 << 20)).result is None


def test_what_is_open_can_be_written_and_no_more_than_allowed(tmp_path):
    path = tmp_path / "file"
    for size, written in ((1000, True), (2 << 20, False)):
        with path.open("wb") as file:
            outcome = confined(
                lambda file=file, size=size: os.write(file.fileno(), bytes(size)), keep=[file.fileno()]
            )
        assert (outcome.result == size) == written
    assert path.stat().st_size <= 1 << 20


def test_other_descriptors_are_closed(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        outcome = confined(lambda: os.write(file.fileno(), b"x"))
    assert outcome.result is None
    assert (tmp_path / "file").read_bytes() == b""


def _kept(path):
    """What must stay; reading a file may change the time at which it was read."""
    status = path.stat()
    return status.st_mode, status.st_ino, status.st_nlink, status.st_size, status.st_mtime_ns


def _in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _system_call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(number, *arguments)


WRITES = {
    "open": lambda path: path.write_text("canary"),
    "append": lambda path: path.open("a").write("canary"),
    "make a folder": lambda path: path.mkdir(),
    "make a link": lambda path: path.symlink_to("/etc"),
    "make a second name": lambda path: os.link("/proc/version", path),
    "make a pipe": lambda path: os.mkfifo(path),
    "rename": lambda path: (path.parent / "theirs").rename(path),
    "remove": lambda path: (path.parent / "theirs").unlink(),
    "cut off": lambda path: os.truncate(path.parent / "theirs", 0),
    "change the mode": lambda path: (path.parent / "theirs").chmod(0o777),
    "change the time": lambda path: os.utime(path.parent / "theirs"),
    "in another thread": lambda path: _in_a_thread(lambda: path.write_text("canary")),
    "through C": lambda path: ctypes.CDLL(None).fopen(str(path).encode(), b"w"),
}


@needs_seccomp
@pytest.mark.parametrize("way", WRITES)
def test_nothing_is_written(tmp_path, way):
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    before = _kept(theirs)
    outcome = confined(lambda: WRITES[way](tmp_path / "canary") and None, readable=[*SYSTEM, tmp_path])
    assert outcome.signal == signal.SIGSYS
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
    assert theirs.read_text() == "precious"
    assert _kept(theirs) == before


ACTIONS = {
    "a program": lambda: os.execv("/bin/true", ["true"]),
    "a shell": lambda: os.system("true"),
    "a subprocess": lambda: subprocess.run(["true"], check=False),
    "a fork": os.fork,
    "a TCP socket": lambda: socket.socket().close(),
    "a UDP socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "a Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "a pair of sockets": socket.socketpair,
    "a signal to the parent": lambda: os.kill(os.getppid(), 0),
    "a signal to all": lambda: os.kill(-1, 0),
    "a namespace": lambda: ctypes.CDLL(None).unshare(0x20000000),
    "a debugger": lambda: ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0),
    "another set of calls": lambda: _system_call(0x40000000 + 41, 2, 1, 0),
}


@needs_seccomp
@pytest.mark.parametrize("what", ACTIONS)
def test_no_programs_no_network_no_other_processes(what):
    if what == "another set of calls" and platform.machine() != "x86_64":
        pytest.skip("only x86-64 has one")
    outcome = confined(lambda: ACTIONS[what]() and None)
    assert outcome.signal == signal.SIGSYS


@needs_seccomp
def test_threads_and_reading_go_on():
    def work():
        seen = []
        _in_a_thread(lambda: seen.append(Path("/proc/self/status").read_text()[:5]))
        return seen

    assert confined(work).result == ["Name:"]


@needs_seccomp
def test_the_process_may_give_up_by_itself():
    assert confined(os.abort).signal == signal.SIGABRT


@needs_landlock
def test_other_files_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "given").write_text("given")

    def work():
        found = []
        for path in (tmp_path / "given", tmp_path / "secret", Path("/etc/passwd")):
            try:
                found.append(path.read_text()[:6])
            except PermissionError:
                found.append("denied")
        return found

    outcome = confined(work, readable=[*SYSTEM, tmp_path / "given", tmp_path / "absent"])
    assert outcome.result == ["given", "denied", "denied"]


@needs_landlock
def test_landlock_alone_keeps_files_from_being_written(tmp_path, monkeypatch):
    monkeypatch.setattr(seccomp, "restrict", lambda: False)
    (tmp_path / "theirs").write_text("precious")
    for way in ("open", "append", "make a folder", "make a link", "rename", "remove"):
        outcome = confined(lambda way=way: WRITES[way](tmp_path / "canary") and None, readable=[tmp_path])
        assert (outcome.result, outcome.signal) == (None, 0)
        assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_memory_is_bounded():
    def work():
        try:
            return len(bytearray(1 << 30))
        except MemoryError:
            return "refused"

    assert confined(work).result == "refused"

    def mapped():
        with mmap.mmap(-1, 1 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            return len(memory)

    assert confined(mapped).result is None


def test_time_is_bounded():
    def work():
        while True:
            pass

    outcome = confined(work, bounds=Bounds(memory_bytes=1 << 28, cpu_seconds=1, file_bytes=0))
    assert outcome.signal in (signal.SIGKILL, signal.SIGXCPU)
    assert 0.5 < outcome.cpu_seconds < 3


def test_waiting_is_bounded(monkeypatch):
    monkeypatch.setattr("edgesqueeze.base.sandbox.confined.STARTING_SECONDS", 0.5)
    outcome = confined(
        lambda: time.sleep(600), bounds=Bounds(memory_bytes=1 << 28, cpu_seconds=0.5, file_bytes=0)
    )
    assert outcome.signal == signal.SIGKILL


def test_what_is_prepared_is_guarded_by_landlock_already(tmp_path):
    (tmp_path / "secret").write_text("secret")
    seen = []

    def prepare():
        try:
            seen.append((tmp_path / "secret").read_text())
        except PermissionError:
            seen.append("denied")

    expected = "denied" if landlock.abi() else "secret"
    assert confined(lambda: seen, prepare=prepare).result == [expected]


def test_what_is_in_force_is_told():
    told = in_force()
    assert told[0] == "resource limits"
    assert ("seccomp" in told) == seccomp.available()
    assert any(one.startswith("Landlock") for one in told) == bool(landlock.abi())
