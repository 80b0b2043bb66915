"""Pages of the report in headless Chromium: nothing is complained of, asked for or cut off."""

import pytest

from edgesqueeze.report.page.page import write_page
from runtime_tests.support.chromium import DESKTOP, PHONE, chromium, look_at
from runtime_tests.support.compressed import deep_classifier, regressor, write_compressed, write_front

MOST_BYTES = 1_500_000
LOOKS = {
    "phone": {"width": PHONE},
    "desktop": {"width": DESKTOP},
    "dark": {"width": DESKTOP, "dark": True},
    "print": {"width": 800, "media": "print"},
}


@pytest.fixture(scope="module")
def port():
    with chromium() as number:
        yield number


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_compressed(folder / "classes", deep_classifier(), classes=10)
    write_compressed(folder / "values", regressor(), target="rpi4")
    write_compressed(folder / "unlabelled", deep_classifier(2), classes=10, labelled=False, target="pico")
    write_front(folder / "front")
    write_front(folder / "nothing", best=False)
    return {one.name: write_page(one) for one in folder.iterdir()}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("kind", ["classes", "values", "unlabelled", "front", "nothing"])
def test_a_page_opens_and_needs_nothing(port, pages, kind, look):
    seen = look_at(port, pages[kind], **LOOKS[look])
    assert seen.complaints == ()
    assert seen.requests == ()
    assert seen.width == LOOKS[look]["width"]
    assert seen.paint_ms > 0
    assert len(seen.picture) > 20_000


def test_a_page_that_loads_something_would_be_seen(port, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>x<img src='http://127.0.0.1:9/x.png'><script>missing()</script>")
    seen = look_at(port, page)
    assert seen.requests == ("http://127.0.0.1:9/x.png",)
    assert any("missing" in one for one in seen.complaints)


def test_dark_pages_are_dark(port, pages):
    light, dark = (look_at(port, pages["values"], dark=dark).picture for dark in (False, True))
    assert brightness(light) > 200 > 80 > brightness(dark)


def test_of_thirty_layers_the_page_is_small(pages):
    assert pages["classes"].stat().st_size < MOST_BYTES


def brightness(png):
    import io

    import numpy as np
    from PIL import Image

    return float(np.median(np.asarray(Image.open(io.BytesIO(png)).convert("L"))))
