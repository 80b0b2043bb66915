import re
import sys
import xml.etree.ElementTree as ET

import pytest

from edgesqueeze.base.records import Range
from edgesqueeze.cli.bench_test import RECORD
from edgesqueeze.errors import MissingToolError, OutputError
from edgesqueeze.latency.prediction import PredictedLayer, PredictedMemory, Prediction
from edgesqueeze.report.chart import MOST_BARS, WIDTH, chart, write_chart

SVG = "{http://www.w3.org/2000/svg}"


def prediction(times, name="net"):
    whole = sum(times) or 1
    return Prediction(
        model=name,
        sha256="0" * 64,
        target="rpi4",
        core="cortex-a72",
        clock_mhz=1500,
        runtime="litert",
        runtime_version="test",
        threads=1,
        confidence=0.9,
        latency_ms=Range(estimate=whole, low=whole * 0.8, high=whole * 1.3),
        macs=0,
        layers=tuple(
            PredictedLayer(
                arithmetic="int8",
                index=index,
                opcode="CONV_2D" if index % 2 else "ADD",
                name="x",
                summary="8x8x4->8x8x4",
                macs=0,
                weights_bytes=0,
                latency_ms=Range(estimate=ms, low=ms / 2, high=ms * 2),
                share=ms / whole,
            )
            for index, ms in enumerate(times)
        ),
        memory=PredictedMemory(flash_model_bytes=1, weights_bytes=0, activations_bytes=0),
        basis=("test",),
    )


def bars(svg):
    """Widths of the bars, in order."""
    paths = [
        path for path in ET.fromstring(svg).iter(f"{SVG}path") if path.get("aria-roledescription") == "bar"
    ]
    assert all(path.get("aria-label") for path in paths)
    return [float(re.match(r"M[\d.]+,[\d.]+h([\d.]+)v", path.get("d"))[1]) for path in paths]


def texts(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_bars_are_as_long_as_the_times():
    widths = bars(chart(prediction([1.0, 4.0, 2.0])))
    assert widths[1] / widths[0] == pytest.approx(4, rel=0.01)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.01)


def test_the_chart_says_what_it_shows():
    shown = " ".join(texts(chart(prediction([1.0, 4.0, 2.0]))))
    for words in (
        "net on rpi4: 7 ms",
        "predicted, 5.6 to 9.1 ms",
        "cortex-a72",
        "1 CONV_2D",
        "57.1%",
        "4 ms",
    ):
        assert words in shown


def test_nothing_is_drawn_outside_of_the_axis():
    assert max(bars(chart(prediction([0.01 * 1.3**n for n in range(MOST_BARS + 9)])))) <= WIDTH


def test_layers_are_in_the_order_in_which_they_run():
    names = [text for text in texts(chart(prediction([1.0] * 12))) if "8x8x4" in text]
    assert [int(name.split()[0]) for name in names] == list(range(12))


def test_of_many_layers_the_shortest_are_one_bar():
    svg = chart(prediction([1.0 + n / 100 for n in range(MOST_BARS + 20)]))
    assert len(bars(svg)) == MOST_BARS + 1
    assert any("20 shorter layers" in text for text in texts(svg))


def test_names_cannot_break_out_of_the_text():
    svg = chart(prediction([1.0], name='<script>"&'))
    assert "<script>" not in svg
    assert any('<script>"&' in text for text in texts(svg))


def test_emulated_layers_are_drawn_in_milliseconds():
    svg = chart(RECORD)
    assert len(bars(svg)) == len(RECORD.layers)
    assert any("12.3 ms" in text for text in texts(svg))


def test_a_model_that_takes_no_time_has_a_chart():
    assert "0 ms, 0.0%" in texts(chart(prediction([0.0, 0.0])))


def test_without_the_package_that_draws_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingToolError, match="vl-convert-python") as caught:
        chart(RECORD)
    assert "edgesqueeze[report]" in caught.value.hint


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(OutputError, match="svg"):
        write_chart(RECORD, tmp_path / "chart.png")
    write_chart(RECORD, tmp_path / "sub" / "chart.svg")
    ET.parse(tmp_path / "sub" / "chart.svg")


def test_names_with_control_characters_leave_it_xml():
    svg = chart(prediction([1.0], name="a\x1b[31mb\nc\x00"))
    assert any("a [31mb c  on rpi4" in text for text in texts(svg))


def test_a_long_name_does_not_run_out_of_the_picture():
    (title,) = [text for text in texts(chart(prediction([1.0], name="x" * 240))) if "xxx" in text]
    assert "x..." in title and len(title) < 100


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "chart.svg").mkdir()
    with pytest.raises(OutputError, match=r"chart\.svg") as caught:
        write_chart(RECORD, tmp_path / "chart.svg")
    assert "--plot" in caught.value.hint
