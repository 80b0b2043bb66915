import errno

import pytest

from edgesqueeze.devices import faults
from edgesqueeze.devices.ssh_host import parse_host

# What OpenSSH 9.2 writes.
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Offending ED25519 key in /home/me/.ssh/known_hosts:1
Host key for pi has changed and you have requested strict checking.
Host key verification failed.
"""
UNKNOWN = """No ED25519 host key is known for pi and you have requested strict checking.
Host key verification failed.
"""
SAID = [
    (CHANGED, "not the one that this computer knows"),
    (UNKNOWN, "not known to this computer"),
    ("ssh: Could not resolve hostname pi: Name or service not known\n", "there is no host pi"),
    ("ssh: connect to host pi port 22: Connection refused\n", "refuses connections"),
    ("ssh: connect to host pi port 22: Connection timed out\n", "does not answer"),
    ("ssh: connect to host pi port 22: No route to host\n", "does not answer"),
    ("Connection timed out during banner exchange\n", "does not answer"),
    ("me@pi: Permission denied (publickey,password).\n", "does not let us in"),
    ("Received disconnect from 10.0.0.7 port 22:2: Too many authentication failures\n", "does not let us in"),
    (
        "/x: line 1: Bad configuration option: foo\n/x: terminating, 1 bad configuration options\n",
        "configuration",
    ),
    ("Unable to negotiate with 10.0.0.7: no matching host key type found\n", "no method in common"),
    ("kex_exchange_identification: Connection closed by remote host\n", "cannot connect"),
    ("", "cannot connect"),
]


@pytest.mark.parametrize(("said", "expected"), SAID)
def test_words_of_ssh(said, expected):
    error = faults.connect_error(parse_host("pi"), said)
    assert expected in error.problem
    assert "pi" in error.problem or "ssh" in error.problem
    assert error.hint
    assert error.got == (said.splitlines()[-1] if said else "")
    assert error.exit_code == 2
    assert "{" not in str(error)


def test_an_unknown_key_says_which_command_adds_it():
    assert "`ssh pi` once" in faults.connect_error(parse_host("pi"), UNKNOWN).hint


@pytest.mark.parametrize(
    ("status", "expected", "hint"),
    [
        (137, "killed by SIGKILL: most likely the device ran out of memory", "swap"),
        (132, "killed by SIGILL: NumPy or the runtime was built for another processor", "--install"),
        (139, "killed by SIGSEGV", "try again"),
        (200, "killed by signal 72", "try again"),
        (255, "the connection to pi was lost", "still running"),
        (None, "pi stopped answering", "still running"),
        (1, "ended with status 1", "try again"),
        (128, "ended with status 128", "try again"),
    ],
)
def test_the_end_of_a_program(status, expected, hint):
    error = faults.lost("pi", status, "some words\nlast words\n")
    assert expected in error.problem
    assert hint in error.hint
    assert error.got == "last words"
    assert error.exit_code == 1


@pytest.mark.parametrize(
    ("fault", "problem", "hint"),
    [
        ({"fault": "no-python"}, "has no Python", "apt install python3"),
        ({"fault": "old-python", "message": "Python 3.6"}, "too old", "newer"),
        (
            {"fault": "runtime", "message": "x cannot be imported"},
            "no TFLite runtime that works",
            "--install",
        ),
        ({"fault": "broken-python", "message": "Exec format error"}, "does not run", "architecture"),
        ({"fault": "no-home"}, "no home folder", "set one"),
        ({"fault": "system", "errno": errno.ENOTDIR, "message": "m"}, "cannot be made", "XDG_CACHE_HOME"),
        ({"fault": "system", "errno": errno.ENOSPC, "message": "m"}, "disk is full", "free"),
        ({"fault": "system", "errno": errno.EROFS, "message": "m"}, "read-only", "XDG_CACHE_HOME"),
        ({"fault": "system", "errno": errno.EACCES, "message": "m"}, "cannot be written", "owner"),
        ({"fault": "install", "message": "m", "hint": "do this"}, "installing", "do this"),
        ({"fault": "system", "errno": errno.EPERM, "message": "m"}, "cannot be written", "owner"),
        ({"fault": "system", "errno": errno.EDQUOT, "message": "m"}, "quota", "free"),
        ({"fault": "system", "errno": errno.EIO, "message": "m"}, "pi: m", "--forget"),
        ({"fault": "else", "message": "m"}, "pi: m", "--forget"),
        ({"fault": "system", "errno": "nonsense"}, "pi: system", ""),
        ({"fault": "system", "errno": [28]}, "pi: system", ""),
        ({"fault": "\x1b]0;title\x07"}, "pi: ]0;title", ""),
    ],
)
def test_faults_of_a_device(fault, problem, hint):
    error = faults.device_fault("pi", fault)
    assert problem in error.problem
    assert hint in error.hint
    assert error.exit_code == 1


def test_text_from_elsewhere_cannot_drive_the_terminal():
    assert faults.clean("a\x1b[31m\tb\r\n" + "c" * 1000) == "a [31m b " + "c" * 491
