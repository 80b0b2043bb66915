import pytest

from edgesqueeze.devices.measure import Settings
from edgesqueeze.devices.records import Boards
from edgesqueeze.devices.ssh_host import Host
from edgesqueeze.errors import ConnectError, DeviceError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.predict import predict
from edgesqueeze.target.load import load_target
from edgesqueeze.timing import boards as module
from edgesqueeze.timing.boards import MeasuredBoards, measure_boards
from runtime_tests.support.measurements import FAILED, LOST, RIGHT, UNKNOWN, WRONG, measured, run
from runtime_tests.support.tflite_builder import tiny_cnn

MODEL = parse_tflite(tiny_cnn(), "tiny")
SETTINGS = Settings(threads=(1,))


@pytest.fixture
def answers(monkeypatch):
    """What the boards answer, in the order in which they are named."""
    given = []

    def one(model, host, settings):
        assert (model, settings) == (MODEL, SETTINGS)
        if isinstance(given[0], BaseException):
            raise given[0]
        return given[0]

    def several(model, hosts, settings):
        assert (model, settings, len(hosts)) == (MODEL, SETTINGS, len(given))
        return tuple(given)

    monkeypatch.setattr(module, "measure", one)
    monkeypatch.setattr(module, "measure_all", several)
    return given


@pytest.fixture
def forgotten(monkeypatch):
    names = []
    monkeypatch.setattr(module, "forget", lambda host: names.append(host.destination))
    return names


def hosts(*names):
    return [name if name == "local" else Host(name) for name in names]


@pytest.mark.parametrize(
    ("boards", "status"),
    [
        ([measured("a"), measured("b")], 0),
        ([measured("a"), UNKNOWN], 2),
        ([measured("a"), LOST], 1),
        ([measured("a", findings=(FAILED,)), measured("b")], 1),
        ([LOST, UNKNOWN], 1),
        ([measured("a", outputs=WRONG), measured("b")], 1),
        ([measured("a", outputs=WRONG), UNKNOWN], 1),
        ([measured("a", outputs=RIGHT.model_copy(update={"compared": False}))], 0),
    ],
)
def test_exit_code(answers, boards, status):
    answers.extend(boards)
    found = measure_boards(MODEL, hosts(*"ab"[: len(boards)]), SETTINGS)
    assert found.exit_code == status
    assert len(found.measurements) + len(found.failures) == len(boards)


def test_the_document_of_one_and_of_several(answers):
    answers.append(measured("a"))
    assert measure_boards(MODEL, hosts("a"), SETTINGS).document == measured("a")
    answers.append(LOST)
    document = measure_boards(MODEL, hosts("a", "zero"), SETTINGS).document
    assert document == Boards(boards=(measured("a"),), failures=(LOST,))


def test_an_error_of_a_single_board_is_raised(answers):
    answers.append(DeviceError("it burns"))
    with pytest.raises(DeviceError, match="it burns"):
        measure_boards(MODEL, hosts("a"), SETTINGS)


def test_a_device_may_be_named_once_only(answers):
    with pytest.raises(UsageError, match="a is named more than once"):
        measure_boards(MODEL, hosts("a", "local", "a"), SETTINGS)
    with pytest.raises(UsageError, match="local is named more than once"):
        measure_boards(MODEL, hosts("local", "local"), SETTINGS)


def test_what_was_reached_is_tidied(answers, forgotten):
    answers.extend([measured("a"), UNKNOWN, LOST, measured("local")])
    measure_boards(MODEL, hosts("a", "zero", "c", "local"), SETTINGS)
    assert forgotten == []
    measure_boards(MODEL, hosts("a", "zero", "c", "local"), SETTINGS, forget_after=True)
    assert forgotten == ["a", "c"]


@pytest.mark.parametrize(
    ("error", "tidied"),
    [(ConnectError("gone"), []), (DeviceError("it burns"), ["a"]), (KeyboardInterrupt(), ["a"])],
)
def test_a_board_that_fails_is_tidied_if_it_was_reached(answers, forgotten, error, tidied):
    answers.append(error)
    with pytest.raises(type(error)):
        measure_boards(MODEL, hosts("a"), SETTINGS, forget_after=True)
    assert forgotten == tidied


def test_a_board_that_cannot_be_tidied_hides_nothing(answers, monkeypatch):
    def fail(host):
        raise ConnectError("gone")

    monkeypatch.setattr(module, "forget", fail)
    answers.append(measured("a"))
    told = []
    found = measure_boards(MODEL, hosts("a"), SETTINGS, forget_after=True, tell=told.append)
    assert found.exit_code == 0
    assert [(one.code, one.subject, one.severity) for one in told] == [("not-forgotten", "a", "warning")]


def test_a_target_is_named_and_predicted_for(answers):
    answers.append(measured("a"))
    found = measure_boards(MODEL, hosts("a"), SETTINGS, target=load_target("rpi4"))
    assert found.document.target == found.document.predicted.target == "rpi4"
    assert (found.document.predicted.threads, found.document.predicted.model) == (1, "tiny")
    assert measure_boards(MODEL, hosts("a"), SETTINGS).document.predicted is None


def test_a_measurement_corrects_the_prediction(answers):
    answers.append(measured("a", threads=(run(2, 3.0),)))
    made = measure_boards(MODEL, hosts("a"), SETTINGS, target=load_target("rpi4")).document.predicted
    plain = predict(MODEL, load_target("rpi4"), threads=2)
    assert made.threads == 2
    assert made.latency_ms == measured("a").latency_ms
    assert made.correction.predicted_ms == plain.latency_ms
    factor = measured("a").latency_ms.estimate / plain.latency_ms.estimate
    assert made.correction.factor == pytest.approx(factor, rel=1e-3)
    for one, other in zip(made.layers, plain.layers, strict=True):
        assert one.latency_ms.estimate == pytest.approx(factor * other.latency_ms.estimate, rel=1e-3)
    assert "corrected by" in made.basis[-1] and "on a:" in made.basis[-1]


def test_what_cannot_be_predicted_is_told(answers, monkeypatch):
    def refuse(model, target, threads):
        raise UsageError("it has loops")

    monkeypatch.setattr(module, "predict", refuse)
    answers.append(measured("a"))
    told = []
    found = measure_boards(MODEL, hosts("a"), SETTINGS, target=load_target("rpi4"), tell=told.append)
    assert (found.document.predicted, len(found.measurements)) == (None, 1)
    assert [(one.code, one.severity) for one in told] == [("not-predicted", "note")]
    assert "it has loops" in told[0].message


def test_a_single_failure_is_no_measurement():
    assert isinstance(MeasuredBoards((), (LOST,)).document, Boards)
