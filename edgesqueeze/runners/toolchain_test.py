import pytest

from edgesqueeze.errors import MissingToolError
from edgesqueeze.runners import toolchain
from edgesqueeze.runners.toolchain import ARM_COMPILER, HOST_COMPILER, QEMU, find, missing


def program(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("one", "packages"),
    [
        (HOST_COMPILER, "apt-get install gcc libc6-dev"),
        (ARM_COMPILER, "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"),
        (QEMU, "apt-get install qemu-system-arm"),
    ],
)
def test_a_missing_program_is_named_with_its_packages(monkeypatch, tmp_path, one, packages):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        find(one)
    assert caught.value.expected == one.names[0]
    assert packages in caught.value.hint
    assert missing(one) == f"{one.names[0]} not found; {packages}"


def test_several_are_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "cc", "exit 0")
    assert missing(HOST_COMPILER) is None
    assert missing(HOST_COMPILER, ARM_COMPILER, QEMU) == (
        "arm-none-eabi-gcc, qemu-system-arm not found; "
        "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
    )


def test_the_version_is_a_number(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "qemu-system-arm", "echo 'QEMU emulator version 9.1.2 (Debian 1:9.1.2+ds-1)'")
    assert find(QEMU).number == (9, 1, 2)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205", "12.2.1"),
        ("gcc (Debian 12.2.0-14) 12.2.0", "12.2.0"),
        ("Debian clang version 14.0.6", "14.0.6"),
        ("something else", ""),
    ],
)
def test_versions_of_distributions(line, number):
    assert toolchain.version_number(line) == number


def test_a_compiler_without_its_library(monkeypatch, tmp_path):
    program(tmp_path, "arm-none-eabi-gcc", "echo libc.a")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MissingToolError, match="for Cortex-M is missing") as caught:
        toolchain.require_arm_library(find(ARM_COMPILER))
    assert "libnewlib-arm-none-eabi" in caught.value.hint


def test_a_program_that_does_not_start(monkeypatch, tmp_path):
    (tmp_path / "qemu-system-arm").write_bytes(b"\x7fELF, but not really")
    (tmp_path / "qemu-system-arm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        find(QEMU)
    assert "does not start" in caught.value.got
