import pytest

from edgesqueeze.base.findings import Finding
from edgesqueeze.report.summary import LISTED, _operators, _resource, said_of, short_names, shown_findings
from edgesqueeze.report.summary import _times as times
from edgesqueeze.target.fit import MissingOperator, ModelNeeds, OperatorFit, ResourceFit, check_fit


def test_short_names_are_the_layers():
    names = ["net/stem/Conv2D", "net/block/dw/depthwise;net/block/bn/FusedBatchNormV3", "net/last/MatMul"]
    assert short_names(names) == ["stem", "block/dw", "last"]


def test_a_layer_has_its_own_name_and_not_that_of_its_activation():
    names = ["net/re_lu/Relu;net/bn/FusedBatchNormV3;net/conv2d/Conv2D", "net/re_lu_1/Relu6;net/dw/depthwise"]
    assert short_names(names) == ["conv2d", "dw"]
    assert short_names(["net/re_lu/Relu;net/add/add", "net/last/MatMul"]) == ["re_lu", "last"]


def resource(**changes):
    values = {
        "verdict": "fits",
        "ok": True,
        "needed_bytes": 4000,
        "high_bytes": 4000,
        "method": "",
        "parts": {},
    }
    return _resource(ResourceFit(**{**values, "available_bytes": 8000, "share_percent": 50.0, **changes}))


def test_a_share_of_memory_is_always_said():
    assert resource() == ("4,000 B", "fits: 50 % of 8,000 B")
    little = resource(available_bytes=8 << 30, share_percent=0.0)
    assert little == ("4,000 B", "fits: less than 1 % of 8,192.0 MiB")
    assert resource(needed_bytes=0, share_percent=0.0)[1] == "fits: 0 % of 8,000 B"


def test_names_stay_long_where_short_ones_would_be_the_same():
    names = ["net/lstm/kernel", "net/lstm/recurrent", "net/last/MatMul"]
    assert short_names(names) == names


def test_kernels_with_a_name_of_their_own_keep_it():
    own = ["lstm/kernel/forget", "both/forward_gru/recurrent_kernel/gates"]
    assert short_names([*own, "net/dense/MatMul"]) == [*own, "dense"]


def test_names_without_a_path():
    assert short_names([]) == []
    assert short_names(["weights"]) == ["weights"]
    assert short_names(["net/dense/MatMul"]) == ["dense"]
    assert short_names(["one", "two"]) == ["one", "two"]


def test_what_two_stages_say_about_one_layer_is_one_line():
    found = [
        Finding(code=f"{task}-skipped", subject="stem", message="first") for task in ("prune", "cluster")
    ]
    (shown,) = shown_findings(found)
    assert (shown.subject, shown.message) == ("stem", "neither pruned nor clustered: first")


def test_one_message_about_many_layers_is_one_line():
    found = [Finding(code="batch-norm-kept", subject=f"bn{i}", message="same") for i in range(LISTED + 2)]
    (shown,) = shown_findings(found)
    assert shown.subject == "bn0, bn1, bn2, bn3, bn4, bn5 and 2 more"
    assert shown.message == "same"


def test_many_of_a_kind_are_counted():
    found = [
        Finding(code="clusters-missed", subject=f"l{i}", message=str(i), severity="warning")
        for i in range(LISTED + 3)
    ]
    shown = list(shown_findings(found))
    assert len(shown) == LISTED + 1
    assert shown[-1].message == "3 more clusters-missed; report.json has them all"
    assert shown[-1].severity == "warning"


def operators(**changes):
    values = {"verdict": "fits", "ok": True, "runtime": "c", "needed": ("ADD", "COS"), "available": 40}
    return _operators(OperatorFit(**{**values, "missing": (), "method": "", **changes}))[1:]


def test_operators_that_are_missing_are_counted_by_kind():
    assert operators() == ("", "2 of 2", "all there")
    missing = tuple(MissingOperator(kind="COS", reason=reason) for reason in ("int8", "int16"))
    assert operators(missing=missing, problems=("2 subgraphs",)) == ("", "1 of 2", "missing: COS")
    assert operators(problems=("2 subgraphs",)) == ("", "2 of 2", "refused: 2 subgraphs")
    assert operators(verdict="not-checked", available=None) == ("", "", "not checked")


@pytest.mark.parametrize(
    ("arena", "runtime", "said"),
    [
        (4000, None, "it fits rpi4"),
        (None, None, "rpi4 has all operators; its memory was not checked"),
        (4000, "tflite-runtime", "on rpi4 its operators were not checked"),
        (None, "tflite-runtime", "on rpi4 its memory and its operators were not checked"),
    ],
)
def test_a_model_fits_as_far_as_it_was_looked_at(arena, runtime, said):
    needs = ModelNeeds(model_bytes=8000, operators=(), arena_bytes=arena)
    assert said_of(check_fit("rpi4", needs, runtime)) == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0, 900, ""),
        (4084, 4159, ", about as large"),
        (900, 300, ", 3.0 times smaller"),
        (300, 900, ", 3.0 times larger"),
    ],
)
def test_by_how_much_a_size_became_another(before, after, said):
    assert times(before, after) == said
