"""A Raspberry Pi that a test can have: Debian's arm64 Python and tflite-runtime under QEMU's user emulation.

Nothing is installed: packages and wheels are downloaded once, unpacked into a folder of the user's cache and
run from there, which takes no rights beyond the user's. What Python finds under /proc and /sys of that folder
it takes for the machine's, so the board has a model name, a thermometer and a clock.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from edgesqueeze.runners.build_cache import cached
from runtime_tests.support.once import alone

SUITE = "bookworm"
PYTHON = "3.11"
"""The Python of ``SUITE``, and the last one that tflite-runtime has wheels for."""
PACKAGES = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6")
WHEELS = ("tflite-runtime==2.14.0", "numpy==1.26.4")
PLATFORMS = ("manylinux_2_34_aarch64", "manylinux2014_aarch64")
# A third of what is unpacked, and nothing that a measurement needs.
UNNEEDED = ("usr/share", "usr/sbin", "usr/lib/aarch64-linux-gnu/gconv", "bin", "sbin", "etc", "var")

MODEL = "Raspberry Pi 4 Model B Rev 1.4"
TEMPERATURE_C = 48.3
CLOCK_MHZ = 1500
CORES = os.cpu_count() or 1
_POLICY = "sys/devices/system/cpu/cpufreq/policy0"
_CORE = (
    "processor\t: {}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n\n"
)
BOARD = {
    "proc/device-tree/model": f"{MODEL}\0",
    "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/cpuinfo": "".join(_CORE.format(core) for core in range(CORES)) + f"Model\t\t: {MODEL}\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": f"{round(TEMPERATURE_C * 1000)}\n",
    f"{_POLICY}/related_cpus": " ".join(map(str, range(CORES))) + "\n",
    f"{_POLICY}/scaling_governor": "ondemand\n",
    f"{_POLICY}/scaling_cur_freq": f"{CLOCK_MHZ * 1000}\n",
    f"{_POLICY}/scaling_max_freq": f"{CLOCK_MHZ * 1000}\n",
    f"{_POLICY}/cpuinfo_max_freq": f"{CLOCK_MHZ * 1000}\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
}
"""What is under /proc, /sys and /etc of the board, by path."""

PACKAGE_OF = {
    "apt-get": "apt",
    "apt-config": "apt",
    "debootstrap": "debootstrap",
    "dpkg-deb": "dpkg",
    "qemu-aarch64-static": "qemu-user-static",
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SECONDS = 300
"""For one download."""

_PYTHON_SCRIPT = """\
#!/bin/sh
root=${0%/usr/bin/*}
exec 'QEMU' -L "$root" -0 "$0" "$root/usr/bin/pythonVERSION" "$@"
"""
_UNAME_SCRIPT = """\
#!/bin/sh
case "$*" in
  -m|-p|-i) echo aarch64 ;;
  *) exec /bin/uname "$@" ;;
esac
"""


class VirtualPi(NamedTuple):
    """The unpacked board.

    Attributes:
        root: the root of its file system.
        folder: to stand first on the PATH of a shell: ``python3`` and ``uname`` of an aarch64 machine.
        python: that ``python3``.
    """

    root: Path
    folder: Path
    python: Path


def virtual_pi() -> VirtualPi:
    """The board, from the cache; some ten seconds and 110 MB the first time.

    Skips the test where it cannot be had, with the reason; fails it in CI.
    """
    try:
        with alone("virtual-pi"):
            root = cached(
                ["virtual-pi", Path(__file__).read_bytes(), str(BOARD), _tool("qemu-aarch64-static")], _make
            )
    except _CannotBeHadError as reason:
        message = f"no virtual Raspberry Pi: {reason}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = root / "usr" / "bin"
    return VirtualPi(root=root, folder=folder, python=folder / "python3")


class _CannotBeHadError(Exception):
    """Why there is no board on this machine."""


def _make(root: Path) -> None:
    """Fill an empty folder."""
    work = root / ".work"
    for archive in _download_packages(work / "apt"):
        _run([_tool("dpkg-deb"), "-x", str(archive), str(root)])
    packages = root / "usr" / "lib" / "python3" / "dist-packages"
    for archive in _download_wheels(work / "wheels"):
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(packages)
    for name in (".work", *UNNEEDED):
        shutil.rmtree(root / name, ignore_errors=True)
    for path in list(packages.rglob("tests")):
        shutil.rmtree(path, ignore_errors=True)
    for name, text in BOARD.items():
        _write(root / name, text)
    script = _PYTHON_SCRIPT.replace("QEMU", _tool("qemu-aarch64-static")).replace("VERSION", PYTHON)
    _write(root / "usr/bin/python3", script, 0o755)
    _write(root / "usr/bin/uname", _UNAME_SCRIPT, 0o755)
    # Also writes the byte code, which makes every later start four seconds shorter.
    _run([str(root / "usr/bin/python3"), "-I", "-c", "import numpy, tflite_runtime.interpreter"])


def _download_packages(folder: Path) -> list[Path]:
    """The Debian packages, with what they depend on.

    An apt with folders of its own: it knows nothing of what is installed here, and leaves it alone.
    """
    for name in ("state/lists/partial", "cache/archives/partial", "parts"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={_keyring()}] {_mirror()} {SUITE} main\n")
    # How this machine downloads (through which proxy, for one) holds here too, and nothing else of its apt.
    downloads = [
        line for line in _run([_tool("apt-config"), "dump"]).splitlines() if line.startswith("Acquire")
    ]
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::parts": folder / "parts",
        "Dir::Etc::preferencesparts": folder / "parts",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "parts",
        "Dir::Log": folder,
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
    }
    downloads += [f'{name} "{value}";' for name, value in settings.items()]
    (folder / "apt.conf").write_text("\n".join(downloads) + "\n")
    apt = [_tool("apt-get"), "-qq", "--yes", "--no-install-recommends"]
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    _run([*apt, "update"], environment)
    _run([*apt, "--download-only", "install", *PACKAGES], environment)
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _download_wheels(folder: Path) -> list[Path]:
    """The Python packages."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += [f"--python-version={PYTHON}", *(f"--platform={name}" for name in PLATFORMS)]
    _run([*command, "--dest", str(folder), *WHEELS])
    return sorted(folder.glob("*.whl"))


def _mirror() -> str:
    """Where this machine's apt has Debian from; on another distribution, where debootstrap has it from."""
    release = _os_release()
    if release.get("ID") == "debian":
        # What an update would fetch: this needs no lists of packages, and no rights.
        fetched = _run([_tool("apt-get"), "update", "--print-uris"])
        found = re.search(
            rf"^'(\S+)/dists/{release.get('VERSION_CODENAME')}/InRelease'", fetched, re.MULTILINE
        )
        if found:
            return found[1]
    found = re.search(r'^DEF_MIRROR="(\S+)"', Path(_tool("debootstrap")).read_text(), re.MULTILINE)
    if not found:
        raise _CannotBeHadError("neither apt nor debootstrap names a mirror of Debian")
    return found[1]


def _keyring() -> Path:
    if not KEYRING.is_file():
        raise _CannotBeHadError("Debian's keys are not installed; apt-get install debian-archive-keyring")
    return KEYRING


def _os_release() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return {name: value.strip("\"'") for name, value in pairs}


def _tool(name: str) -> str:
    # An ordinary user's PATH may lack the folder that debootstrap is in.
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    if not path:
        raise _CannotBeHadError(f"{name} is not installed; apt-get install {PACKAGE_OF[name]}")
    return path


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise _CannotBeHadError(f"{' '.join(command[:3])} ... took more than {SECONDS} s") from error
    if done.returncode:
        raise _CannotBeHadError(f"{' '.join(command[:3])} ... failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
