"""Files behind a .tflite: a ZIP archive that is appended to it, as TFLite's metadata have it.

Runtimes read a FlatBuffer from its start and never see them; ``unzip`` and every ZIP library find them from
the end. Offsets in the archive's directory count from the start of the whole file, as TFLite Support writes
them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from edgesqueeze.base.zips import FAULTS, Members, ZipError

MOST_BYTES = 64 << 20
"""What all files may have together: labels and vocabularies, not a second model."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The first time that an archive can name: the same files give the same bytes."""


def appended_files(content: bytes) -> Mapping[str, bytes]:
    """The files behind a .tflite, by name; empty where nothing is appended.

    Args:
        content: the whole file.

    Raises:
        ZipError: the archive is damaged, or larger than ``MOST_BYTES`` when unpacked.
    """
    file = io.BytesIO(content)
    if not zipfile.is_zipfile(file):
        return {}
    try:
        with zipfile.ZipFile(file) as archive:
            starts = [info.header_offset for info in archive.infolist()]
    except FAULTS as error:
        raise ZipError(f"it is damaged ({error})") from error
    if not starts:
        return {}
    if not 0 < min(starts) < len(content):
        raise ZipError("its parts are not where it says")
    members = Members(io.BytesIO(content[min(starts) :]), MOST_BYTES)
    return {name: members.read(name) for name in members.infos}


def with_appended(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """A .tflite with files behind it.

    Args:
        content: a .tflite that has none.
        files: what is appended, by name; nothing is, where there are none.
    """
    if not files:
        return content
    # A writer appends to anything; where the model's last bytes look like an archive, it would go on there.
    file = io.BytesIO(content + bytes(-len(content) % 4))
    with zipfile.ZipFile(file, "a") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, LONG_AGO)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED if len(data) > 256 else zipfile.ZIP_STORED
            archive.writestr(info, data)
    return file.getvalue()
