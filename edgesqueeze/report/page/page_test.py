import re
from html.parser import HTMLParser

import pytest

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.generated import generated
from edgesqueeze.errors import MissingToolError, OutputError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.stats import weight_stats
from edgesqueeze.report.page import charts
from edgesqueeze.report.page.classes import Matrix
from edgesqueeze.report.page.page import write_page
from runtime_tests.support.compressed import deep_classifier, regressor, write_compressed
from runtime_tests.support.tflite_builder import tiny_residual

LOADS = {"src", "href", "srcset", "data", "action", "xlink:href", "poster"}


class Reader(HTMLParser):
    """Words in their order, headings, and what would be loaded."""

    def __init__(self, text):
        super().__init__()
        self.words, self.headings, self.loads, self.hints = [], [], [], []
        self._tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._tags.append(tag)
        self.loads += [value for key, value in attrs if key in LOADS]
        self.hints += [value for key, value in attrs if key == "aria-label"]

    def handle_endtag(self, tag):
        while self._tags and self._tags.pop() != tag:
            pass

    def handle_data(self, data):
        if data.strip() and not {"style", "script"} & set(self._tags):
            self.words.append(data.strip())
            self.headings += [data.strip()] if self._tags[-1] == "h2" else []


def read(tmp_path, content, **changes):
    write_compressed(tmp_path / "out", content, **changes)
    place = write_page(tmp_path / "out", tmp_path / "page.html")
    return Reader(place.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return read(tmp_path_factory.mktemp("classifier"), deep_classifier(3), classes=10)


def test_the_verdict_comes_first(classifier):
    assert classifier.words[:3] == ["model.keras on ST NUCLEO-L4R5ZI"] * 2 + ["ok"]
    assert classifier.words[3].startswith("it fits nucleo-l4r5zi, and the drop (accuracy")
    assert classifier.headings[0] == "Before and after"


def test_nothing_is_loaded(classifier):
    assert classifier.loads == []


def test_every_layer_is_drawn_and_listed(classifier):
    times = [hint for hint in classifier.hints if " ms, " in hint]
    assert len(times) == 11
    assert [int(hint.split()[0]) for hint in times] == list(range(11))
    text = " ".join(classifier.words)
    assert text.count("DEPTHWISE_CONV_2D") >= 3 * 4


def test_what_lies_where_in_the_arena_is_drawn(classifier):
    places = [hint for hint in classifier.hints if re.search(r"bytes at [\d,]+, \d+ CONV_2D to", hint)]
    assert len(places) >= 3


def test_every_weight_tensor_has_a_histogram(classifier):
    kernels = [one for one in weight_stats(parse_tflite(deep_classifier(3))) if one.role == "weights"]
    assert classifier.words.count("integers as stored") == len(kernels) == 8
    drawn = [re.match(r"0, zero: (\d+) of ([\d,]+)", hint) for hint in classifier.hints]
    zeros = {int(one[2].replace(",", "")): int(one[1]) for one in drawn if one}
    assert zeros == {one.elements: round(one.sparsity * one.elements) for one in kernels if one.sparsity}


def test_how_figures_were_obtained(classifier):
    text = " ".join(classifier.words)
    for words in ("on 200 test samples", "made up", "predicted: ", "deflated with zlib", "prune-skipped"):
        assert words in text


def test_a_result_that_is_not_ok_says_so_first(tmp_path):
    wrong = Finding(code="constant-output", subject="y", message="it is constant", severity="error")
    page = read(tmp_path, regressor(), findings=(wrong,), target="rpi4")
    assert page.words[2:4] == ["not ok", "the model does not do its job: y: it is constant (constant-output)"]


def test_values_show_how_far_they_are_off(tmp_path):
    page = read(tmp_path, regressor(), target="rpi4")
    assert "Values" in page.headings and "Off the label" in page.words
    assert any(re.search(r"of 200 values, \d+ before", hint) for hint in page.hints)
    page = read(tmp_path, regressor(), target="rpi4", labelled=False)
    assert "Off the original" in page.words and "label" not in page.words


def test_names_cannot_break_out_of_the_page(tmp_path):
    evil = '</script><script>alert(1)</script>"&\x00\x1b'
    found = (Finding(code="kept-whole", subject=evil, message=evil),)
    read(tmp_path, tiny_residual(), name=evil, findings=found, target="rpi4")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("<script>") == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)


def test_a_target_that_is_not_at_hand_leaves_out_the_time(tmp_path):
    page = read(tmp_path, regressor(), target="rpi4")
    assert any("predicted, " in words for words in page.words)
    report = tmp_path / "out" / "report.json"
    report.write_text(report.read_text().replace('"target": "rpi4"', '"target": "mine"', 1))
    text = write_page(tmp_path / "out").read_text(encoding="utf-8")
    assert "not known: the profile of the target is not at hand" in text


def test_native_c_is_told_by_its_own_layers(tmp_path):
    write_compressed(tmp_path, tiny_residual(), classes=3)
    page = Reader(write_page(tmp_path, runtime="c").read_text(encoding="utf-8"))
    assert any("planned when the C was generated" in words for words in page.words)
    assert any(hint.endswith("to the caller") for hint in page.hints)


def test_a_runtime_that_the_target_does_not_have_is_refused(tmp_path):
    write_compressed(tmp_path, regressor())
    with pytest.raises(UsageError, match="does not run 'tfml'"):
        write_page(tmp_path, runtime="tfml")


@pytest.mark.parametrize("break_it", ["report", "model", "other"])
def test_a_folder_that_compress_did_not_write(tmp_path, break_it):
    write_compressed(tmp_path, regressor(), target="rpi4")
    if break_it == "report":
        (tmp_path / "report.json").write_text("{}")
    elif break_it == "model":
        (tmp_path / "model.tflite").unlink()
    else:
        (tmp_path / "model.tflite").write_bytes(deep_classifier(1))
    with pytest.raises(UsageError):
        write_page(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_without_the_package_that_draws_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    write_compressed(tmp_path, regressor(), target="rpi4")
    with pytest.raises(MissingToolError, match="vl-convert-python"):
        write_page(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("name", ["report.json", "model.tflite"])
def test_what_the_page_is_about_is_not_replaced_by_it(tmp_path, name):
    out = tmp_path / "out"
    write_compressed(out, deep_classifier(2), classes=10)
    before = (out / name).read_bytes()
    with pytest.raises(OutputError, match="is read here"):
        write_page(out, out / name)
    assert (out / name).read_bytes() == before


def test_the_page_in_its_own_place_is_listed_however_it_is_named(tmp_path):
    out = tmp_path / "out"
    write_compressed(out, deep_classifier(2), classes=10)
    write_page(out, out / ".." / "out" / "report.html")
    assert "report.html" in generated(out, ["report.html"])


def test_what_was_asked_for_is_said_as_in_a_recipe(classifier):
    (said,) = (one for one in classifier.words if "sparsity = 0.5" in one)
    assert 'include = ["*"]' in said and "True" not in said and "('*',)" not in said


def test_what_a_latency_rests_on_is_told_one_by_one(classifier):
    start = next(place for place, one in enumerate(classifier.words) if one.startswith("predicted: "))
    assert any(one.startswith("instructions of every operator") for one in classifier.words[start + 1 :])


def test_several_outputs_go_by_their_names(tmp_path):
    out = tmp_path / "out"
    report = write_compressed(out, deep_classifier(2), classes=10)
    (figure, *_), (choice, *_) = report.fidelity.figures, report.choices
    figures = [
        one.model_copy(update={"output": number, "name": name})
        for number, name in enumerate(("digit", "odd <1>"))
        for one in (figure,)
    ]
    two = report.model_copy(
        update={
            "fidelity": report.fidelity.model_copy(update={"figures": tuple(figures)}),
            "choices": (choice, choice.model_copy(update={"output": 1})),
        }
    )
    (out / "report.json").write_text(two.model_dump_json())
    headings = Reader(write_page(out).read_text()).headings
    assert "Classes of digit" in headings and "Classes of odd <1>" in headings


def test_the_titles_of_a_matrix_keep_away_from_long_names(monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "svg", lambda rows, spec: drawn.append(spec) or "")
    for name in ("0", "a class with a long name", 40 * "endless "):
        charts.confusion(Matrix("before", "label", "original", (name,), ()))
    short, long, endless = (one["layer"][0]["encoding"]["x"]["axis"]["titlePadding"] for one in drawn)
    assert short < 8 < long <= endless < 40
