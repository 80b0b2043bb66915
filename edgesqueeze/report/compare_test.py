import json
from xml.etree import ElementTree

import pytest

from edgesqueeze.base.records import Range
from edgesqueeze.checks.agreement import Fidelity
from edgesqueeze.checks.metrics import Figure
from edgesqueeze.devices.records import Boards, MeasuredMemory, Measurement, OutputCheck, ThreadRun
from edgesqueeze.errors import UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.predict import predict
from edgesqueeze.report import compare as module
from edgesqueeze.report import quantities
from edgesqueeze.report.compare import compare, parse_tolerance, summary
from edgesqueeze.report.compare_forms import as_junit, as_markdown
from edgesqueeze.report.quantities import Contents, Quantity
from edgesqueeze.report.quantities import _of_report as of_report
from edgesqueeze.report.report import Report, SizeReport
from edgesqueeze.target.fit import ModelNeeds, check_fit
from runtime_tests.support.compressed import write_front
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense


def share(value, samples=1000, **changes):
    made = Quantity("accuracy", "accuracy", value, "share", higher_is_better=True, samples=samples)
    return made._replace(**changes)


def size(value, **changes):
    return Quantity(".tflite", "size", value, "bytes")._replace(**changes)


def latency(value, **changes):
    return Quantity("latency", "latency", value, "ms")._replace(**changes)


def compared(monkeypatch, tmp_path, old, new, tolerances=None, problems=((), ()), subject=({}, {})):
    documents = {
        name: Contents("report", {one.title: one for one in given}, about, missed)
        for name, given, missed, about in zip(("old", "new"), (old, new), problems, subject, strict=True)
    }
    monkeypatch.setattr(module, "read_contents", lambda path: documents[path.name])
    return compare(tmp_path / "old", tmp_path / "new", tolerances)


def test_two_documents_without_figures_say_so(monkeypatch, tmp_path):
    assert summary(compared(monkeypatch, tmp_path, [], [])) == "no figures to compare"


def test_a_share_that_is_none_breaks_nothing(monkeypatch, tmp_path):
    found = compared(monkeypatch, tmp_path, [share(0.5)], [share(-1e308)])
    assert [one.verdict for one in found.changes] == ["worse"]


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (size(100), size(100), "same"),
        (size(100), size(101), "worse"),
        (size(100), size(99), "better"),
        (latency(10), latency(10.001), "worse"),
        (latency(10, exact=False), latency(10.5, exact=False), "same"),
        (latency(10, exact=False), latency(10.6, exact=False), "worse"),
        (latency(10, exact=False), latency(9.4, exact=False), "better"),
        (share(0.9), share(0.9), "same"),
        # Two proportions of 1,000 samples each: 1.96 standard deviations are 2.7 points at 90 %.
        (share(0.9), share(0.875), "same"),
        (share(0.9), share(0.87), "worse"),
        (share(0.9), share(0.93), "better"),
        (share(0.9, samples=100_000), share(0.896, samples=100_000), "worse"),
        # All right of 20 does not mean that all will be.
        (share(1.0, samples=20), share(0.95, samples=20), "same"),
        (
            share(0.1, samples=0, higher_is_better=False),
            share(0.1019, samples=0, higher_is_better=False),
            "same",
        ),
        (
            share(0.1, samples=0, higher_is_better=False),
            share(0.103, samples=0, higher_is_better=False),
            "worse",
        ),
        (share(0.9), share(float("nan")), "worse"),
    ],
)
def test_verdicts(monkeypatch, tmp_path, old, new, verdict):
    found = compared(monkeypatch, tmp_path, [old], [new])
    assert [one.verdict for one in found.changes] == [verdict]
    assert found.ok == (verdict != "worse")


@pytest.mark.parametrize(
    ("tolerance", "kind", "amount", "relative"),
    [
        ("latency=2%", "latency", 0.02, True),
        ("size=100", "size", 100, False),
        ("accuracy=0.5points", "accuracy", 0.005, False),
        ("accuracy = 1 point", "accuracy", 0.01, False),
        ("accuracy=0.005", "accuracy", 0.005, False),
        ("ram=0", "ram", 0, False),
    ],
)
def test_tolerances_that_are_given(tolerance, kind, amount, relative):
    found = parse_tolerance(tolerance)
    assert (found[0], found[1].relative) == (kind, relative)
    assert found[1].amount == pytest.approx(amount)


@pytest.mark.parametrize(
    "text", ["", "latency", "speed=2%", "size=x", "size=-1", "accuracy=2%", "size=2points", "size=1e999"]
)
def test_tolerances_that_are_none(text):
    with pytest.raises(UsageError) as caught:
        parse_tolerance(text)
    assert caught.value.got == text
    assert caught.value.expected


def test_what_is_asked_for_wins(monkeypatch, tmp_path):
    given = dict(map(parse_tolerance, ("size=10%", "accuracy=0.1points", "latency=2")))
    old = [size(100), share(0.9), latency(10)]
    found = compared(monkeypatch, tmp_path, old, [size(110), share(0.898), latency(12)], given)
    assert [one.verdict for one in found.changes] == ["same", "worse", "same"]
    assert {one.basis for one in found.changes} == {"as asked for"}


def test_what_is_gone_is_worse_and_what_is_new_is_not(monkeypatch, tmp_path):
    found = compared(monkeypatch, tmp_path, [size(1)], [latency(1)])
    assert {one.title: one.verdict for one in found.changes} == {".tflite": "gone", "latency": "new"}
    assert not found.ok
    assert compared(monkeypatch, tmp_path, [], [latency(1)]).ok


def test_a_requirement_that_is_missed_now(monkeypatch, tmp_path):
    assert not compared(monkeypatch, tmp_path, [size(1)], [size(1)], problems=((), ("too large",))).ok
    assert compared(monkeypatch, tmp_path, [size(1)], [size(1)], problems=(("so before",), ("too large",))).ok


def test_documents_about_something_else(monkeypatch, tmp_path):
    found = compared(
        monkeypatch, tmp_path, [size(1)], [size(1)], subject=({"target": "pico"}, {"target": "rpi4"})
    )
    assert found.notes == ("not the same target: pico, then rpi4",)
    assert found.ok


def predicted(folder, name, content, target="rpi4"):
    path = folder / name
    path.write_text(predict(parse_tflite(content), target).model_dump_json())
    return path


def test_two_predictions(tmp_path):
    small, large = predicted(tmp_path, "a", tiny_dense()), predicted(tmp_path, "b", tiny_cnn())
    assert compare(small, small).ok
    found = compare(small, large)
    assert {one.title: one.verdict for one in found.changes} == {"latency": "worse", "file": "worse"}
    assert compare(large, small).ok
    other = predicted(tmp_path, "c", tiny_dense(), "pixel8")
    assert compare(small, other).notes[0] == "not the same target: rpi4, then pixel8"


def test_figures_of_a_report():
    figure = {"output": 0, "truth": "labels", "unit": "share", "higher_is_better": True, "decides": True}
    right = Figure(metric="accuracy", title="accuracy", original=0.9, compressed=0.8, drop=0.1, **figure)
    figures = (right, right.model_copy(update={"part": 1}), right.model_copy(update={"decides": False}))
    report = Report.model_construct(
        fidelity=Fidelity(samples=50, outputs=(), figures=figures),
        sizes=SizeReport(float_bytes=9, tflite_bytes=5, tflite_deflate_bytes=4, arena_bytes=3),
        fit=check_fit("pico", ModelNeeds(model_bytes=1000, operators=())),
    )
    found = {one.title: one for one in of_report(report)}
    assert list(found) == ["accuracy", ".tflite", ".tflite, deflated", "arena", "flash"]
    assert found["accuracy"] == Quantity("accuracy", "accuracy", 0.8, "share", True, 50)
    assert found["flash"].value > 1000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no document"),
        ("[]", "no document"),
        ("{", "no document"),
        ('{"recipe": 1}', "no report of this version"),
        ('{"finalists": 1}', "no front of this version"),
        ('{"method": "predicted"}', "no timing of this version"),
        ('{"method": []}', "no document"),
        ('{"error": 5}', "no document"),
        ('{"error": ["exit_code"]}', "no document"),
        ("[" * 100_000, "no document"),
        (json.dumps({"error": {"problem": "too large", "exit_code": 1}}), "that failed"),
    ],
)
def test_what_is_no_document(tmp_path, content, said):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UsageError, match=said):
        compare(tmp_path / "x.json", tmp_path / "x.json")


def test_files_that_cannot_be_read_and_kinds_that_differ(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*report\.json"):
        compare(tmp_path, tmp_path)
    one = predicted(tmp_path, "a", tiny_dense())
    other = json.loads(one.read_text())
    emulated = tmp_path / "b"
    emulated.write_text(json.dumps({"boards": [], "failures": [], "method": "measured", "schema_version": 1}))
    with pytest.raises(UsageError, match="not of one kind"):
        compare(one, emulated)
    assert other["method"] == "predicted"


def test_forms(monkeypatch, tmp_path):
    old = [size(100), share(0.9), latency(10, title="a|b <c> `d`\x1b[31m"), latency(3, title="lost")]
    new = [size(101), share(0.95), latency(10, title="a|b <c> `d`\x1b[31m")]
    found = compared(monkeypatch, tmp_path, old, new, problems=((), ("it does <not> fit",)))
    markdown = as_markdown(found)
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4
    assert rows[2] == "| .tflite | 100 | 101 | +1.0% | nothing | ❌ worse |"
    assert "| 90.00% | 95.00% | +5.00 points |" in rows[3]
    assert r"a\|b \<c\> \`d\` \[31m" in rows[4]
    assert r"- ❌ it does \<not\> fit" in markdown
    suite = ElementTree.fromstring(as_junit(found).partition("\n")[2])
    assert (suite.get("tests"), suite.get("failures")) == ("5", "3")
    failed = {case.get("name"): case.find("failure") for case in suite if case.find("failure") is not None}
    assert set(failed) == {".tflite", "lost", "it does <not> fit"}
    assert failed[".tflite"].get("message") == "100 -> 101 +1.0%"


def fronts(folder, **changes):
    """Two folders of searches, the new one's ``front.json`` with other fields."""
    for name in ("old", "new"):
        write_front(folder / name)
    file = folder / "new" / "front.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, **changes}))
    return folder / "old", folder / "new", told


def with_best(told, **takes):
    """The finalists of a front, whose best takes something else."""
    best, *others = told["finalists"]
    return [{**best, "takes": {**best["takes"], **takes}}, *others]


def basis(told, **changes):
    return {"accuracy": {**told["accuracy"], **changes}}


@pytest.mark.parametrize(
    ("changes", "title", "old", "worse"),
    [
        # Of a drop of nearly nothing 2 % are nothing; of the error they are what they are of reports.
        ({"metric": "normalized_error", "title": "error"}, "best: error", 0.90001, 0.03),
        ({"metric": "my:own", "title": "my:own", "unit": "own"}, "best: drop of my:own", 1e-5, 0.03),
        ({"metric": "", "title": "worst of 2", "original": None}, "best: drop of worst of 2", 1e-5, 0.03),
    ],
)
def test_what_a_front_lost_may_vary_by_a_part_of_what_it_is_lost_of(tmp_path, changes, title, old, worse):
    _, _, told = fronts(tmp_path)
    for drop, verdict in ((1.1e-5, "same"), (worse, "worse")):
        for name, lost in (("old", 1e-5), ("new", drop)):
            finalists = with_best(told, accuracy_drop=lost)
            document = {**told, **basis(told, **changes), "finalists": finalists}
            (tmp_path / name / "front.json").write_text(json.dumps(document))
        found = compare(tmp_path / "old", tmp_path / "new")
        (one,) = (one for one in found.changes if one.title.startswith(title))
        assert (one.old, one.verdict) == (pytest.approx(old), verdict)


def test_two_fronts_by_their_best_and_by_each_objective(tmp_path):
    old, new, told = fronts(tmp_path)
    assert compare(old, new).ok
    finalists = with_best(told, flash_kib=500.0)
    (new / "front.json").write_text(json.dumps({**told, "finalists": finalists}))
    found = compare(old / "front.json", new)
    verdicts = {one.title: one.verdict for one in found.changes}
    assert verdicts["best: flash"] == "worse"
    assert [title for title in verdicts if title.startswith("front")] == [
        "front's best latency",
        "front's best flash",
    ]
    assert (found.kind, found.ok, found.notes) == ("search", False, ())
    suite = ElementTree.fromstring(as_junit(found).partition("\n")[2])
    assert {case.get("classname") for case in suite} == {"search"}
    assert "| best: flash |" in as_markdown(found)


def test_fronts_of_different_searches(tmp_path):
    limits = {"max_accuracy_drop": 0.01, "max_flash": 64.0}
    old, new, _ = fronts(tmp_path, target="pico", objectives=["size", "accuracy"], runtime="c", limits=limits)
    found = compare(old, new)
    gone = [one.title for one in found.changes if one.verdict in ("gone", "new")]
    assert gone == ["front's best latency", "front's best accuracy"]
    assert found.notes == (
        "not the same target: nucleo-l4r5zi, then pico",
        "not the same objectives: latency, size, then size, accuracy",
        "not the same limits: max accuracy drop 0.01, then max accuracy drop 0.01, max flash 64",
    )


def test_empty_fronts(tmp_path):
    nothing = {"finalists": [], "best": None, "ok": False, "reason": "max_flash is in the way"}
    old, new, _ = fronts(tmp_path, **nothing)
    lost = compare(old, new)
    assert (lost.ok, lost.problems) == (False, ("max_flash is in the way",))
    assert {one.verdict for one in lost.changes} == {"gone"}
    found = compare(new, old)
    assert found.ok and {one.verdict for one in found.changes} == {"new"}
    still = compare(new, new)
    assert (still.ok, still.changes, still.problems) == (True, (), ())
    assert still.notes == (
        "the old document misses a requirement: max_flash is in the way",
        "so does the new one: max_flash is in the way",
    )
    assert "no figures to compare" in as_markdown(still)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308, -1.0, None])
@pytest.mark.parametrize("field", ["latency_ms", "flash_kib", "ram_kib", "accuracy_drop"])
def test_figures_that_are_none_break_nothing(tmp_path, field, value):
    old, new, told = fronts(tmp_path)
    (new / "front.json").write_text(json.dumps({**told, "finalists": with_best(told, **{field: value})}))
    for found in (compare(old, new), compare(new, old), compare(new, new)):
        assert as_markdown(found) and as_junit(found) and summary(found)


def test_counts_of_samples_that_are_none(tmp_path):
    _, new, told = fronts(tmp_path)
    wrong = {**told["accuracy"], "test_samples": -2}
    (new / "front.json").write_text(json.dumps({**told, "accuracy": wrong}))
    assert compare(new, new).ok


def measured(host, median, threads=1):
    run = dict.fromkeys(("load_ms", "median_ms", "mean_ms", "min_ms", "p90_ms", "p99_ms"), median)
    return Measurement.model_construct(
        model="m.tflite",
        target="",
        runtime="litert",
        latency_ms=Range(estimate=median, low=median, high=median),
        host=host,
        threads=(ThreadRun(threads=threads, runs=9, peak_rss_bytes=None, speedup=1.0, **run),),
        outputs=OutputCheck(ok=True, compared=False, reason="not compared"),
        memory=MeasuredMemory(flash_model_bytes=9, ram_bytes=None),
    )


def test_one_board_beside_several(monkeypatch, tmp_path):
    one = measured("pi4", 10.0)
    several = Boards.model_construct(boards=(measured("pi4", 12.0), measured("pi5", 3.0)), failures=())
    documents = {"one": one, "several": several, "other": measured("pi5", 3.0, threads=2)}
    monkeypatch.setattr(quantities, "read_document", lambda path: documents[path.name])
    found = compare(tmp_path / "one", tmp_path / "several")
    assert {change.title: change.verdict for change in found.changes} == {
        "pi4: latency": "worse",
        "pi4: file": "same",
        "pi5: latency": "new",
        "pi5: file": "new",
    }
    found = compare(tmp_path / "one", tmp_path / "other")
    assert [change.title for change in found.changes] == ["latency", "file"]
    assert found.notes == ("not the same device: pi4, then pi5", "not the same threads: 1, then 2")
