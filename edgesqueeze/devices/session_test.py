"""Sessions, on this computer and over a stand-in for ssh that runs what it is told right here."""

import base64
import contextlib
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgesqueeze.devices import folders, session
from edgesqueeze.devices import ssh_connection as connection
from edgesqueeze.devices.jobs import Job
from edgesqueeze.devices.session import forget, open_local, open_session
from edgesqueeze.devices.ssh_host import Host
from edgesqueeze.errors import ConnectError, DeviceError, MissingToolError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads

QUICK = {"warmup_runs": 1, "min_runs": 5, "min_seconds": 0.0}

# Shares a connection like ssh: the master makes a socket, and the others insist on its being there.
SSH = """#!{python}
import os, socket, sys, time
arguments = sys.argv[1:]
open(os.environ["SSH_LOG"], "a").write(repr(arguments) + "\\n")
options = dict(a.split("=", 1) for a in arguments if "=" in a)
path = options["ControlPath"]
if arguments[:2] == ["-O", "exit"]:
    sys.exit(0)
if "{mode}" == "no sharing" and path != "none":
    sys.exit("ControlSocket %s already exists, disabling multiplexing" % path)
if options["ControlMaster"] == "yes":
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
elif path != "none" and not os.path.exists(path):
    sys.exit("no master")
assert arguments[-3] == "--" and arguments[-2] == "pi"
os.environ["HOME"] = os.environ["PI_HOME"]
os.environ.pop("XDG_CACHE_HOME", None)
print("Welcome to the board!", flush=True)
os.execvp("sh", ["sh", "-c", arguments[-1]])
"""
HOST = Host("pi")


@pytest.fixture
def board(tmp_path, monkeypatch):
    """Installs the stand-in; what it is called with is in ``log``, the board's home in ``home``."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "home").mkdir()
    (tools / "python3").symlink_to(sys.executable)
    # A link out of a virtual environment forgets what is installed in it.
    (tools / "python3").unlink()
    (tools / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tools / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("PI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SSH_LOG", str(tmp_path / "log"))

    def install(text=SSH, mode=""):
        (tools / "ssh").write_text(text.replace("{python}", sys.executable).replace("{mode}", mode))
        (tools / "ssh").chmod(0o755)
        return tmp_path

    return install


def calls(folder):
    return (folder / "log").read_text().splitlines()


def test_this_computer_computes_what_litert_does():
    model = parse_tflite(tiny_two_heads())
    sample = data_samples(model, random_data(model, 1))[0]
    job = Job("two heads", model.content, sample, want_outputs=True, fresh_process=True, **QUICK)
    with open_local() as here:
        started = time.monotonic()
        (result,) = here.run([job])
        elapsed = time.monotonic() - started
        assert here.name == "local"
    assert result.error == ""
    assert len(result.times_ms) >= 5
    assert min(*result.times_ms, result.load_ms) > 0
    assert sum(result.times_ms) / 1000 <= result.busy_seconds <= elapsed - result.load_ms / 1000
    assert result.peak_rss_bytes > 1e7
    assert result.runtime == "ai-edge-litert"
    for ours, theirs in zip(result.outputs, litert.run(model, [sample])[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_jobs_that_fail_do_not_take_the_others_down():
    seen = []
    jobs = [Job("bad", b"nonsense", **QUICK), Job("good", tiny_cnn(), **QUICK)]
    with open_local() as here:
        results = here.run(jobs, seen.append)
        assert here.run([]) == []
    assert ["Flatbuffer" in results[0].error, results[1].error] == [True, ""]
    assert seen == results


def processor_seconds(jobs):
    """What jobs take of the processor beside their work, with the agent that runs them."""
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open_local() as here:
        results = here.run(jobs)
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    used = sum(one.ru_utime + one.ru_stime for one in after) - sum(
        one.ru_utime + one.ru_stime for one in before
    )
    return used - sum(result.load_ms / 1000 + result.busy_seconds for result in results)


def test_small_jobs_cost_little():
    """Much less than a process each."""
    small, own = (
        [Job(f"{i}", tiny_cnn(i % 10), fresh_process=fresh, **QUICK) for i in range(60)]
        for fresh in (False, True)
    )
    start = processor_seconds(small[:1])
    assert processor_seconds(small) - start < 0.4 * (processor_seconds(own) - start)


def test_nothing_of_a_local_session_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "SHORT", 1000)
    monkeypatch.setattr(folders.tempfile, "tempdir", str(tmp_path))
    with open_local() as here:
        here.run([Job("good", tiny_cnn(), **QUICK)])
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_a_board(board):
    folder = board()
    with open_session(HOST) as pi:
        assert pi.name == "pi"
        assert pi.run([Job("good", tiny_cnn(), **QUICK)])[0].error == ""
    assert len(calls(folder)) == 3
    assert "'ControlMaster=yes'" in calls(folder)[0]
    assert calls(folder)[1].endswith("'--', 'pi', 'exec sh']")
    assert calls(folder)[2].startswith("['-O', 'exit'")
    cache = folder / "home" / ".cache" / "edgesqueeze"
    assert {path.name for path in cache.iterdir()} == {"models", "programs"}
    assert forget(HOST)
    assert not cache.exists()
    assert not forget(HOST)


def test_what_is_there_is_not_sent_again(board, monkeypatch):
    board()
    sent = []
    original = connection.Channel.send

    def send(self, content, timeout):
        sent.append(len(content))
        original(self, content, timeout)

    monkeypatch.setattr(connection.Channel, "send", send)
    for _ in range(2):
        sent.clear()
        with open_session(HOST) as pi:
            pi.run([Job("good", tiny_cnn(), **QUICK)])
    assert sum(sent) < 5000


def test_a_board_without_sharing(board):
    folder = board(mode="no sharing")
    with open_session(HOST) as pi:
        assert pi.run([Job("good", tiny_cnn(), **QUICK)])[0].error == ""
    assert "'ControlPath=none'" in calls(folder)[-1]


def test_no_socket_of_ours_stays(board, tmp_path, monkeypatch):
    board()
    short = Path("/tmp") / f"es{os.getpid()}"
    short.mkdir()
    monkeypatch.setattr(folders.tempfile, "tempdir", str(short))
    try:
        with open_session(HOST):
            assert len(list(short.glob("*/ssh"))) == 1
            assert len(str(next(short.glob("*/ssh")))) < 80
        assert list(short.iterdir()) == []
    finally:
        for path in short.glob("**/*"):
            path.unlink()
        short.rmdir()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("echo 'ssh: connect to host pi port 22: Connection refused' >&2; exit 255", "refuses connections"),
        ("echo 'Host key verification failed.' >&2; exit 255", "key of pi is not known"),
        ("echo 'me@pi: Permission denied (publickey).' >&2; exit 255", "does not let us in"),
        ("exit 255", "cannot connect"),
        (
            "echo 'This account is not available.'; exit 1",
            "lets us in, but its login shell ended with status 1",
        ),
    ],
)
def test_connecting_fails(board, text, match):
    board("#!/bin/sh\n" + text + "\n")
    with pytest.raises(ConnectError, match=match), open_session(HOST):
        pass


def test_a_board_that_never_answers(board, tmp_path, monkeypatch):
    board(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 60\n")
    monkeypatch.setattr(connection, "LOGIN_SECONDS", 0.3)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0)
    with pytest.raises(ConnectError, match="does not answer"), open_session(HOST):
        pass
    # It did not end by itself.
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_no_ssh(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="ssh is not installed"), open_session(HOST):
        pass


def test_a_connection_that_breaks(board):
    board()
    with open_session(HOST) as pi, pytest.raises(DeviceError, match="SIGKILL"):
        jobs = [Job("good", tiny_cnn(), **QUICK)] * 2
        pi.run(jobs, lambda result: kill_agent(pi))
    assert pi._agent is None


def kill_agent(pi):
    children = Path(f"/proc/{pi._agent._process.pid}/task/{pi._agent._process.pid}/children").read_text()
    for pid in (int(pid) for pid in children.split()):
        os.kill(pid, signal.SIGKILL)


def test_a_session_goes_on_after_a_failure(board):
    board()
    with open_session(HOST) as pi:
        with contextlib.suppress(DeviceError):
            pi.run([Job("good", tiny_cnn(), **QUICK)] * 2, lambda result: kill_agent(pi))
        assert pi.run([Job("good", tiny_cnn(), **QUICK)])[0].error == ""


def test_no_runtime(board, monkeypatch):
    folder = board()
    (folder / "tools" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    with open_session(HOST) as pi:
        assert pi.device.runtimes == {}
        with pytest.raises(DeviceError, match="pi has no TFLite runtime") as caught:
            pi.run([Job("good", tiny_cnn())])
    assert "--install" in caught.value.hint


@pytest.mark.parametrize("works", [True, False])
def test_a_runtime_is_installed_where_none_works(board, monkeypatch, works):
    folder = board()
    installed = []

    def install(connection):
        installed.append(connection.host)
        venv = folder / "home" / ".cache" / "edgesqueeze" / "venv" / "bin"
        venv.mkdir(parents=True)
        (venv / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (venv / "python").chmod(0o755)

    monkeypatch.setattr(session, "install_runtime", install)
    if not works:
        # Its metadata are there, and it is not.
        hidden = "import sys; sys.modules['ai_edge_litert.interpreter'] = sys.modules['tensorflow'] = None"
        (folder / "tools" / "python3").write_text(
            f'#!/bin/sh\nshift\ncode=$1\nshift\nexec {sys.executable} -c "{hidden}\n$code" "$@"\n'
        )
    with open_session(HOST, install=True) as pi:
        assert pi.run([Job("good", tiny_cnn(), **QUICK)])[0].error == ""
    assert installed == ([] if works else [HOST])


def npy(head, magic=b"\x93NUMPY\x01\x00"):
    return base64.b64encode(magic + len(head).to_bytes(2, "little") + head.encode() + bytes(8)).decode()


RESULT = {"error": "", "times_ns": [1000.0], "load_ns": 1, "busy_ns": 1, "outputs": []}
HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}\n"
OBJECTS = "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"times_ns": ["much"]},
        {"times_ns": [float("nan")]},
        {"times_ns": [-1]},
        {"times_ns": []},
        {"times_ns": None},
        {"times_ns": [10**400]},
        {"load_ns": float("inf")},
        {"peak_rss_bytes": float("inf")},
        {"sustained": [[1.0, 0, None, None, None]]},
        {"sustained": [[1.0, 5, float("nan"), None, None]]},
        {"outputs": [npy(HUGE)]},
        {"outputs": [npy(OBJECTS)]},
        {"outputs": [npy("", b"PK\x03\x04")]},
        {"outputs": [7]},
        {"outputs": None},
    ],
)
def test_results_that_make_no_sense(changes):
    with open_local() as here:
        here._ask = lambda *_: {"result": {**RESULT, **changes}}
        here._send_models = lambda models: None
        with pytest.raises(DeviceError, match="makes no sense"):
            here.run([Job("good", tiny_cnn(), want_outputs=True)])


@pytest.mark.parametrize("missing", [None, 3, "all"])
def test_a_device_that_does_not_say_what_it_has(missing):
    with open_local() as here:
        here._ask = lambda *_, **__: {"missing": missing}
        with pytest.raises(DeviceError, match="does not say which models"):
            here.run([Job("good", tiny_cnn())])
