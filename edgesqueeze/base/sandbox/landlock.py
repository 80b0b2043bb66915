"""Landlock: which files a thread and its children may touch; see landlock(7)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from edgesqueeze.base.sandbox import kernel

# The same on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION, RULE_PATH_BENEATH = 1, 1

READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILES_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Version of Landlock's interface -> everything that it can forbid to do with files."""
TCP_SINCE, TCP = 4, 0b11
SCOPES_SINCE, SCOPES = 6, 0b11
"""Signals to, and abstract sockets of, processes outside."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """Version of Landlock's interface in this kernel; 0 without Landlock."""
    try:
        return kernel.call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION))
    except OSError:
        return 0


def restrict(readable: Iterable[Path]) -> bool:
    """Let this thread, and what it starts from now on, read some files and folders and touch no others.

    Nothing may be written, made, removed or executed. From version 4 on no TCP connection may be made, from 6
    on no process outside be signalled.

    Args:
        readable: files, and folders with everything below them; those that do not exist are left out.

    Returns:
        Whether it is in force.
    """
    version = abi()
    if not version:
        return False
    ruleset = _Ruleset(
        files=FILES_BY_ABI[max(known for known in FILES_BY_ABI if known <= version)],
        net=TCP if version >= TCP_SINCE else 0,
        scoped=SCOPES if version >= SCOPES_SINCE else 0,
    )
    try:
        descriptor = kernel.call(
            CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), ctypes.c_uint32(0)
        )
        try:
            for path in readable:
                _allow(descriptor, path)
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
            kernel.call(RESTRICT_SELF, ctypes.c_int(descriptor), ctypes.c_uint32(0))
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True


def _allow(ruleset: int, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            folder = stat.S_ISDIR(os.fstat(parent).st_mode)
            rule = _PathBeneath(allowed=READ_FILE | READ_DIR if folder else READ_FILE, parent=parent)
            kernel.call(
                ADD_RULE,
                ctypes.c_int(ruleset),
                ctypes.c_int(RULE_PATH_BENEATH),
                ctypes.byref(rule),
                ctypes.c_uint32(0),
            )
        finally:
            os.close(parent)
