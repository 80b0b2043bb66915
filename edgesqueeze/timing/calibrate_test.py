import pytest

from edgesqueeze.devices import session as sessions
from edgesqueeze.devices.look import CoreKind
from edgesqueeze.errors import OutputError, UsageError
from edgesqueeze.target.load import load_target, parse_target, target_folders, uncovered_figures
from edgesqueeze.timing import calibrate as calibration
from runtime_tests.support.devices import BOARD, COSTS


class Session(sessions.Session):
    def __init__(self):
        self.device = BOARD


@pytest.fixture(autouse=True)
def no_microbenchmarks(monkeypatch):
    monkeypatch.setattr(calibration, "measure_latency", lambda session, progress: COSTS)


def test_a_profile_of_the_board_is_written_and_found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = calibration.calibrate(Session())
    assert made.path == tmp_path / "edgesqueeze" / "targets" / "raspberry-pi-4-model-b-rev-1-4.toml"
    found = load_target("raspberry-pi-4-model-b-rev-1-4")
    assert found == made.target
    assert made.path.parent in target_folders()
    assert (found.cpu.core, found.cpu.cores, found.cpu.clock_mhz) == ("cortex-a72", 4, 1800.0)
    assert found.latency == COSTS


def test_every_figure_has_a_source():
    assert uncovered_figures(parse_target(calibration.profile_text(BOARD, COSTS), "x")) == ()


def test_a_calibrated_profile_goes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    calibration.calibrate(Session(), name="rpi4")
    assert load_target("rpi4").title.endswith("calibrated")


def test_another_folder_and_name(tmp_path):
    made = calibration.calibrate(Session(), name="kitchen", folder=tmp_path / "mine")
    assert made.path == tmp_path / "mine" / "kitchen.toml"
    assert load_target(str(made.path)).name == "kitchen"


@pytest.mark.parametrize("name", ["Kitchen", "a--b", "../x", "a b", "x" * 65])
def test_a_name_that_no_target_can_have(name, tmp_path):
    with pytest.raises(UsageError, match="cannot be the name"):
        calibration.calibrate(Session(), name=name, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kinds", "architecture", "core"),
    [
        (("Cortex-A53", "Cortex-A73"), "aarch64", "cortex-a73"),
        (("AMD EPYC",), "x86_64", "x86-64"),
        (("implementer 0x61, part 0x022",), "aarch64", "aarch64"),
        (("ARM1176",), "armv6l", "arm1176"),
        (("ARMv7 Processor",), "armv7l", "arm"),
        (("sifive,u74",), "riscv64", "riscv64"),
    ],
)
def test_names_of_cores(kinds, architecture, core):
    listed = tuple(CoreKind(name=name, count=2) for name in kinds)
    device = BOARD.model_copy(update={"core_kinds": listed, "architecture": architecture})
    assert calibration.core_of(device) == core
    assert parse_target(calibration.profile_text(device, COSTS), "x").cpu.core == core


def test_a_clock_that_is_not_told_is_an_assumption():
    target = parse_target(calibration.profile_text(BOARD.model_copy(update={"clocks": ()}), COSTS), "x")
    assert any("cpu.clock_mhz" in one.fields for one in target.assumptions)


@pytest.mark.parametrize(
    ("board", "name"),
    [(None, "cortex-a72"), ("Banana Pi!", "banana-pi"), ("?", "device"), ("A" * 99, "a" * 64)],
)
def test_default_names(board, name):
    assert calibration.default_name(BOARD.model_copy(update={"board": board})) == name


def test_a_folder_that_cannot_be_written_fails_before_measuring(tmp_path, monkeypatch):
    def measure_latency(session, progress):
        raise AssertionError("measured in vain")

    monkeypatch.setattr(calibration, "measure_latency", measure_latency)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        calibration.calibrate(Session(), folder=tmp_path / "file")
