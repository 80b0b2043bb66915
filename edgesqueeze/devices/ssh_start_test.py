"""The script and the loader, run by this computer's sh as a login shell would run them."""

import contextlib
import shutil
import stat
import sys

import pytest

from edgesqueeze.devices import ssh_start as start_module
from edgesqueeze.devices.channel import Channel
from edgesqueeze.devices.faults import device_fault, lost
from edgesqueeze.devices.ssh_start import forget_script, start_program
from edgesqueeze.errors import DeviceError

PROGRAM = b"""
import json, os, sys
line = sys.stdin.readline()
print("\\n@edgesqueeze@ " + json.dumps({"echo": line.strip(), "folder": sys.argv[1], "path": sys.path}))
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home with 'quotes'").mkdir()
    return tmp_path / "home with 'quotes'"


@pytest.fixture
def tools(tmp_path):
    """A PATH with little on it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "rm", "cat", "env", "ls"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


def give_python(tools, text=None):
    file = tools / "python3"
    file.write_text(text or f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    file.chmod(0o755)


def shell(home, tools, **environment):
    return Channel(
        [shutil.which("sh")],
        lambda status, said: lost("pi", status, said),
        lambda fault: device_fault("pi", fault),
        {"HOME": str(home), "PATH": str(tools), **environment},
    )


def echo(channel, program=PROGRAM):
    start_program(channel, program)
    channel.send(b"hello\n", 5)
    return channel.answer(20)


def test_a_program_is_sent_once(home, tools):
    give_python(tools)
    folder = home / ".cache" / "edgesqueeze"
    for _ in range(2):
        with shell(home, tools) as channel:
            answer = echo(channel)
        assert (answer["echo"], answer["folder"]) == ("hello", str(folder))
        assert "" not in answer["path"]
    (stored,) = (folder / "programs").iterdir()
    assert stored.read_bytes() == PROGRAM
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    stored.write_bytes(b"raise SystemExit('somebody has changed it')")
    with shell(home, tools) as channel:
        assert echo(channel)["echo"] == "hello"


@pytest.mark.parametrize("part", ["", "programs"])
@pytest.mark.parametrize("what", ["group", "others", "a link"])
def test_a_folder_that_others_can_write_to_is_not_used(home, tools, tmp_path, part, what):
    give_python(tools)
    with shell(home, tools) as channel:
        echo(channel)
    folder = home / ".cache" / "edgesqueeze" / part
    if what == "a link":
        elsewhere = folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(elsewhere)
    else:
        folder.chmod(0o720 if what == "group" else 0o702)
    with shell(home, tools) as channel, pytest.raises(DeviceError, match="not the user's alone"):
        echo(channel)


@pytest.mark.parametrize("part", ["", "venv", "venv/bin"])
def test_an_environment_that_others_can_write_to_is_not_run(home, tools, part):
    give_python(tools)
    folder = home / ".cache" / "edgesqueeze"
    own = folder / "venv" / "bin" / "python"
    own.parent.mkdir(parents=True, mode=0o700)
    for path in (folder, folder / "venv", own.parent):
        path.chmod(0o700)
    own.write_text(f'#!/bin/sh\n>"{home}/ran"\nexec {sys.executable} "$@"\n')
    own.chmod(0o700)
    with shell(home, tools) as channel:
        echo(channel)
    assert (home / "ran").exists()
    (home / "ran").unlink()
    (folder / part).chmod(0o777)
    with shell(home, tools) as channel, contextlib.suppress(DeviceError):
        echo(channel)
    assert not (home / "ran").exists()


def test_old_programs_are_removed(home, tools):
    give_python(tools)
    for i in range(6):
        with shell(home, tools) as channel:
            echo(channel, PROGRAM + b"# %d" % i)
    assert len(list((home / ".cache" / "edgesqueeze" / "programs").iterdir())) <= 4


def test_a_cache_folder_of_the_users_choice(home, tools, tmp_path):
    give_python(tools)
    with shell(home, tools, XDG_CACHE_HOME=str(tmp_path / "my cache")) as channel:
        assert echo(channel)["folder"] == str(tmp_path / "my cache" / "edgesqueeze")
    with shell(home, tools, XDG_CACHE_HOME="relative") as channel:
        assert echo(channel)["folder"] == str(home / ".cache" / "edgesqueeze")


def test_the_python_of_our_own_environment_is_preferred(home, tools):
    give_python(tools, "#!/bin/sh\nexit 9\n")
    own = home / ".cache" / "edgesqueeze" / "venv" / "bin"
    own.mkdir(parents=True)
    (own / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (own / "python").chmod(0o755)
    with shell(home, tools) as channel:
        assert echo(channel)["echo"] == "hello"
    with shell(home, tools) as channel, pytest.raises(DeviceError, match="does not run"):
        start_program(channel, PROGRAM, own_python=False)


def test_no_python(home, tools):
    with shell(home, tools) as channel, pytest.raises(DeviceError, match="pi has no Python"):
        echo(channel)


def test_a_python_that_is_too_old(home, tools):
    give_python(
        tools,
        "#!/bin/sh\n"
        f"exec {sys.executable} -c 'import sys; sys.version_info = (3, 6, 9); sys.argv = sys.argv[1:]; "
        'exec(sys.argv[1])\' "$@"\n',
    )
    with shell(home, tools) as channel, pytest.raises(DeviceError, match="too old") as caught:
        echo(channel)
    assert caught.value.got == "Python 3.6"


@pytest.mark.parametrize(
    "text", ["", "#!/bin/sh\necho 'Fatal Python error' >&2; exit 1\n", "\x7fELF nonsense"]
)
def test_a_python_that_does_not_run(home, tools, text):
    give_python(tools, text or "\n")
    with shell(home, tools) as channel, pytest.raises(DeviceError, match="the Python of pi does not run"):
        echo(channel)


def test_no_home(tools):
    give_python(tools)
    for name in ("", "relative"):
        with (
            shell("", tools, XDG_CACHE_HOME=name) as channel,
            pytest.raises(DeviceError, match="no home folder"),
        ):
            echo(channel)


def test_a_program_that_is_killed(home, tools):
    give_python(tools)
    with shell(home, tools) as channel, pytest.raises(DeviceError, match=r"SIGILL: NumPy or the runtime"):
        echo(channel, b"import os, signal\nos.kill(os.getpid(), signal.SIGILL)")


def test_what_a_dead_program_did_not_read_is_not_run(home, tools, tmp_path):
    give_python(tools)
    with shell(home, tools) as channel:
        start_program(channel, b"raise SystemExit(3)")
        channel.send(f"\necho hacked > {tmp_path}/hacked\n".encode() * 10, 5)
        with pytest.raises(DeviceError, match="status 3"):
            channel.answer(20)
    assert not (tmp_path / "hacked").exists()


def test_a_home_that_cannot_be_written(tools):
    give_python(tools)
    with shell("/proc/nowhere", tools) as channel, pytest.raises(DeviceError) as caught:
        echo(channel)
    assert "/proc/nowhere" in caught.value.got or "/proc/nowhere" in caught.value.problem


def test_forget_removes_everything_of_ours_and_nothing_else(home, tools):
    give_python(tools)
    with shell(home, tools) as channel:
        echo(channel)
    (home / ".cache" / "other").mkdir()
    for there in (True, False):
        with shell(home, tools) as channel:
            channel.send(forget_script(), 5)
            assert channel.answer(10) == {"forgot": there}
    assert [path.name for path in (home / ".cache").iterdir()] == ["other"]


def test_the_remote_command_is_a_constant():
    assert start_module.REMOTE_COMMAND == "exec sh"
    assert "'" not in start_module.LOADER
    compile(start_module.LOADER, "loader", "exec")
