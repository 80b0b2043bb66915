import pytest

from edgesqueeze.devices.browser.look import browser_device
from edgesqueeze.devices.look import condition, describe

PIXEL = {
    "agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36",
    "brands": [
        {"brand": "Google Chrome", "version": "141.0.7390.111"},
        {"brand": "Not?A_Brand", "version": "8.0.0.0"},
        {"brand": "Chromium", "version": "141.0.7390.111"},
    ],
    "platform": "Android",
    "platform_version": "16.0.0",
    "device_model": "Pixel 7",
    "architecture": "",
    "cores": 8,
    "memory_gib": 8,
    "threads": True,
}


def test_what_a_phone_says():
    found = browser_device(PIXEL, {"litert.js": "2.5.3"})
    assert (found.board, found.browser, found.os) == (
        "Pixel 7",
        "Google Chrome 141.0.7390.111",
        "Android 16.0.0",
    )
    assert (found.cores, found.usable_cores, found.memory_bytes) == (8, 8, 8 << 30)
    assert describe(found) == "Pixel 7, 8x core, wasm32"
    assert condition(found) == "Android 16.0.0; Google Chrome 141.0.7390.111; 8.0 GiB of memory"


@pytest.mark.parametrize(
    ("agent", "browser"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1 Version/18.3 Mobile/15E Safari/604.1", "Safari 18"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1 CriOS/141.0 Mobile/15E Safari/604.1", "Chrome 141"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0", "Edge 141"),
        ("Something\x1b[31m of my own", "Something [31m of my own"),
        ("", "a browser"),
    ],
)
def test_browsers_by_their_user_agent(agent, browser):
    found = browser_device({**PIXEL, "brands": [], "agent": agent}, {})
    assert found.browser == browser
