import subprocess
import time

import pytest

from runtime_tests.support.loopback_sshd import ALIAS, loopback_device


def run(device, command, *, data=b"", timeout=300):
    words = ["ssh", "-F", str(device.config), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", ALIAS]
    return subprocess.run([*words, command], input=data, capture_output=True, timeout=timeout)


def until(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_device_is_a_folder(tmp_path):
    with loopback_device(tmp_path / "a b", environment={"WORD": "it's"}) as device:
        done = run(
            device, 'cat; echo "$HOME|$WORD|$PWD"; : > made; python3 -c "import numpy; print(1)"', data=b"in,"
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode() == f"in,{device.home}|it's|{device.home}\n1\n"
        assert device.files() == ["home/made"]
        assert device.sessions() == 1
        assert run(device, "exit 7").returncode == 7
        assert device.forwarder.sent > 1000


def test_everything_ends_with_the_device(tmp_path):
    with loopback_device(tmp_path / "device") as device:
        run(device, "sleep 300 > /dev/null 2>&1 < /dev/null &")
        (process,) = device.processes()
        assert process.command == "sleep 300"
        assert device.kill_processes("something else") == 0
    assert device.processes() == []


def test_power_loss_and_dead_processes(tmp_path):
    with loopback_device(tmp_path / "device") as device:
        words = ["ssh", "-F", str(device.config), ALIAS]
        client = subprocess.Popen([*words, "exec sleep 300"], stderr=subprocess.PIPE)
        assert until(lambda: [process.command for process in device.processes()] == ["sleep 300"])
        assert device.kill_processes("sleep 300") == 1
        assert client.wait(300) == 255
        client = subprocess.Popen([*words, "exec sleep 300"], stderr=subprocess.DEVNULL)
        assert until(device.processes)
        device.kill()
        assert client.wait(300) == 255
        assert device.processes() == []


def test_without_python_and_with_a_greeting(tmp_path):
    with loopback_device(tmp_path / "device", python=None, greeting="Welcome!\n") as device:
        done = run(device, "python3 --version; uname -s")
        assert done.stdout == b"Welcome!\nLinux\n"
        assert b"not found" in done.stderr


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("forget_host_key", "Host key verification failed"),
        ("change_host_key", "REMOTE HOST IDENTIFICATION HAS CHANGED"),
        ("refuse_key", "Permission denied (publickey)"),
        ("kill", "Connection"),
    ],
)
def test_doors_that_stay_shut(tmp_path, fault, message):
    with loopback_device(tmp_path / "device") as device:
        getattr(device, fault)()
        done = run(device, "true")
        assert done.returncode == 255
        assert message in done.stderr.decode()
        assert device.sessions() == 0


def test_lost_network(tmp_path):
    with loopback_device(tmp_path / "device") as device:
        device.forwarder.stall(after=100_000)
        with pytest.raises(subprocess.TimeoutExpired):
            run(device, "cat", data=bytes(1_000_000), timeout=1)
        device.forwarder.drop()
        assert until(lambda: not device.processes())


def test_small_disk(tmp_path):
    with loopback_device(tmp_path / "device", disk_bytes=1 << 20) as device:
        assert run(device, "head -c 500000 /dev/zero > some").returncode == 0
        done = run(device, "head -c 600000 /dev/zero > more")
        assert b"No space left on device" in done.stderr
        assert run(device, "ls").stdout == b"more\nsome\n"
        assert device.files() == []
