"""Seccomp: which system calls a process may make; see seccomp(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import NamedTuple

from edgesqueeze.base.sandbox import calls, kernel

SET_MODE_FILTER, TSYNC = 1, 1
KILL_PROCESS, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
LOAD, EQUAL, GREATER_EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
X32_BIT = 0x40000000
"""Set in the numbers of x86-64's second set of calls."""

# Places in struct seccomp_data; of an argument the low half, which has all the flags.
NUMBER, ARCHITECTURE = 0, 4
ARGUMENTS = tuple(16 + 8 * index for index in range(6))

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | (os.O_TMPFILE & ~os.O_DIRECTORY)
CLONE_THREAD = 0x00010000
TIOCSTI = 0x5412
"""Types characters into a terminal."""


class Step(NamedTuple):
    """One instruction of a filter: what, how far to jump if so and if not, and its operand."""

    code: int
    yes: int
    no: int
    operand: int


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def available() -> bool:
    """Whether this kernel has filters, and this machine's calls are known."""
    try:
        kernel.call(calls.SECCOMP[platform.machine()], ctypes.c_uint(SET_MODE_FILTER), ctypes.c_uint(0), None)
    except KeyError:
        return False
    except OSError as error:
        return error.errno == errno.EFAULT
    return True


def restrict() -> bool:
    """End this process when it writes files, starts programs or uses the network, in whatever thread.

    What is open already can be read and written on. Must be called after the process has its last number,
    since it may signal itself.

    Returns:
        Whether it is in force.
    """
    machine = platform.machine()
    if not available():
        return False
    steps = program(machine, os.getpid())
    packed = b"".join(struct.pack("=HBBI", *step) for step in steps)
    try:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        filter_ = _Program(length=len(steps), steps=packed)
        kernel.call(
            calls.SECCOMP[machine],
            ctypes.c_uint(SET_MODE_FILTER),
            ctypes.c_uint(TSYNC),
            ctypes.byref(filter_),
        )
    except OSError:
        return False
    return True


def program(machine: str, process: int) -> list[Step]:
    """The filter.

    Args:
        machine: a key of ``calls.SECCOMP``.
        process: number of the process that it is for.
    """
    steps = [
        Step(LOAD, 0, 0, ARCHITECTURE),
        Step(EQUAL, 1, 0, calls.AUDIT_ARCH[machine]),
        Step(RETURN, 0, 0, KILL_PROCESS),
        Step(LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        steps += [Step(GREATER_EQUAL, 0, 1, X32_BIT), Step(RETURN, 0, 0, KILL_PROCESS)]
    for number in calls.denied(machine).values():
        steps += _when(number, Step(RETURN, 0, 0, KILL_PROCESS))
    for number in calls.absent(machine).values():
        steps += _when(number, Step(RETURN, 0, 0, ERRNO | errno.ENOSYS))
    conditions = _conditions(process)
    for name, number in calls.depending(machine).items():
        steps += _when(number, *conditions[name])
    return [*steps, Step(RETURN, 0, 0, ALLOW)]


def _when(number: int, *then: Step) -> list[Step]:
    return [Step(EQUAL, 0, len(then), number), *then]


def _conditions(process: int) -> dict[str, tuple[Step, ...]]:
    """Steps for a call by its name; each ends with a verdict."""
    kill, allow = Step(RETURN, 0, 0, KILL_PROCESS), Step(RETURN, 0, 0, ALLOW)

    def argument(index: int) -> Step:
        return Step(LOAD, 0, 0, ARGUMENTS[index])

    return {
        "open": (argument(1), Step(ANY_BIT, 0, 1, WRITING), kill, allow),
        "openat": (argument(2), Step(ANY_BIT, 0, 1, WRITING), kill, allow),
        "clone": (argument(0), Step(ANY_BIT, 1, 0, CLONE_THREAD), kill, allow),
        "kill": (argument(0), Step(EQUAL, 1, 0, process), kill, allow),
        "tgkill": (argument(0), Step(EQUAL, 1, 0, process), kill, allow),
        "ioctl": (argument(1), Step(EQUAL, 0, 1, TIOCSTI), kill, allow),
    }
