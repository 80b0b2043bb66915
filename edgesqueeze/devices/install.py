"""Put a TFLite runtime onto a board, into an environment of its own."""

from __future__ import annotations

from pathlib import Path

from edgesqueeze.devices.ssh_connection import Connection
from edgesqueeze.devices.ssh_start import start_program

PROGRAM = Path(__file__).with_name("installer.py")
INSTALL_SECONDS = 900.0


def install_runtime(connection: Connection) -> str:
    """Make the environment ``venv`` in the cache folder of the device; replaces one that is there.

    Returns:
        What was installed: ``ai-edge-litert 2.1.0``.

    Raises:
        DeviceError: no venv module, no network, no wheel for this Python and architecture, or a full disk.
    """
    with connection.open_shell() as shell:
        start_program(shell, PROGRAM.read_bytes(), own_python=False)
        return str(shell.answer(INSTALL_SECONDS + 30).get("installed", ""))
