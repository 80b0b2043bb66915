"""What a browser tells of the device that it runs on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from edgesqueeze.devices.faults import clean
from edgesqueeze.devices.look import MOST_CORES, CoreKind, Device

MOST_TEXT = 200
SHOWN = {
    "FxiOS": "Firefox",
    "Firefox": "Firefox",
    "CriOS": "Chrome",
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Chrome": "Chrome",
    "Version": "Safari",
}
"""Names of browsers in what they send as their user agent, the special ones before those that many send."""
NO_BRAND = re.compile(r"not.?a.?brand|^chromium$", re.IGNORECASE)


def browser_device(told: Mapping[str, Any], runtimes: dict[str, str]) -> Device:
    """The record for what a page said about itself.

    Args:
        told: what ``describe`` of ``page.js`` gathers.
        runtimes: what runs models there, with its version.

    Raises:
        TypeError, ValueError, LookupError, AttributeError, OverflowError: it makes no sense.
    """
    cores, memory = int(told["cores"]), told.get("memory_gib")
    if not 1 <= cores <= MOST_CORES:
        raise ValueError(f"expected 1 to {MOST_CORES} cores, got {cores}")
    if memory is not None and not 0 < float(memory) < math.inf:
        raise ValueError(f"expected gibibytes, got {memory}")
    platform, version = _text(told, "platform"), _text(told, "platform_version")
    processor = _text(told, "architecture")
    return Device(
        board=_text(told, "device_model") or None,
        soc=None,
        core_kinds=(CoreKind(name=f"{processor} core".strip(), count=cores),),
        cores=cores,
        usable_cores=cores if told.get("threads") is True else 1,
        physical_cores=None,
        features=(),
        clocks=(),
        caches=(),
        memory_bytes=None if memory is None else int(float(memory) * (1 << 30)),
        memory_available_bytes=None,
        swap_bytes=None,
        temperature_c=None,
        throttling=None,
        load=None,
        busy_cores=None,
        os=f"{platform} {version}".strip() or None,
        kernel="",
        architecture="wasm32",
        bits=32,
        libc=None,
        python_version="",
        python_path="",
        numpy=None,
        runtimes=runtimes,
        free_disk_bytes=None,
        browser=_browser(told),
    )


def _browser(told: Mapping[str, Any]) -> str:
    """Name and version of the browser."""
    brands = [(_text(one, "brand"), _text(one, "version")) for one in list(told.get("brands") or ())[:10]]
    named = [brand for brand in brands if not NO_BRAND.search(brand[0])] or [
        brand for brand in brands if brand[0] == "Chromium"
    ]
    if named:
        return " ".join(named[0])
    agent = _text(told, "agent")
    for word, name in SHOWN.items():
        found = re.search(rf"\b{word}/(\d+)", agent)
        if found:
            return f"{name} {found[1]}"
    return agent or "a browser"


def _text(told: Mapping[str, Any], key: str) -> str:
    return clean(str(told.get(key) or ""))[:MOST_TEXT]
