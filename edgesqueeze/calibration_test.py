import pytest

from edgesqueeze import calibration
from edgesqueeze.errors import UsageError
from edgesqueeze.latency.fit_costs_test import DEVICE
from edgesqueeze.ssh.look import Cache, Clock, CoreKind, Device
from edgesqueeze.target import load_target, parse_target, target_folders, uncovered_figures

BOARD = Device(
    board="Raspberry Pi 4 Model B Rev 1.4",
    soc="brcm,bcm2711",
    core_kinds=(CoreKind(name="Cortex-A72", count=4),),
    cores=4,
    usable_cores=4,
    physical_cores=4,
    features=("asimd",),
    clocks=(Clock(cpus="0-3", governor="ondemand", current_mhz=600.0, max_mhz=1800.0, limit_mhz=1800.0),),
    caches=(Cache(level=2, kind="Unified", size_bytes=1 << 20, count=1),),
    memory_bytes=3_900_000_000,
    memory_available_bytes=3_000_000_000,
    swap_bytes=0,
    temperature_c=45.0,
    throttling=None,
    load=0.1,
    os="Debian GNU/Linux 12",
    kernel="6.1.0",
    architecture="aarch64",
    bits=64,
    libc="glibc 2.36",
    python_version="3.11.2",
    python_path="/usr/bin/python3",
    numpy="1.26.4",
    runtimes={"ai-edge-litert": "2.1.0"},
    free_disk_bytes=10**9,
)


class Session:
    device = BOARD


@pytest.fixture(autouse=True)
def no_microbenchmarks(monkeypatch):
    monkeypatch.setattr(calibration, "measure_latency", lambda session, progress: DEVICE)


def test_a_profile_of_the_board_is_written_and_found(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / name)
    made = calibration.calibrate(Session())
    assert made.path == tmp_path / "edgesqueeze" / "targets" / "raspberry-pi-4-model-b-rev-1-4.toml"
    found = load_target("raspberry-pi-4-model-b-rev-1-4")
    assert found == made.target
    assert made.path.parent in target_folders()
    assert (found.cpu.core, found.cpu.cores, found.cpu.clock_mhz) == ("cortex-a72", 4, 1800.0)
    assert found.latency == DEVICE


def test_every_figure_has_a_source():
    assert uncovered_figures(parse_target(calibration.profile_text(BOARD, DEVICE), "x")) == ()


def test_a_calibrated_profile_goes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / name)
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
    assert parse_target(calibration.profile_text(device, DEVICE), "x").cpu.core == core


def test_a_clock_that_is_not_told_is_an_assumption():
    target = parse_target(calibration.profile_text(BOARD.model_copy(update={"clocks": ()}), DEVICE), "x")
    assert any("cpu.clock_mhz" in one.fields for one in target.assumptions)


@pytest.mark.parametrize(
    ("board", "name"),
    [(None, "cortex-a72"), ("Banana Pi!", "banana-pi"), ("?", "device"), ("A" * 99, "a" * 64)],
)
def test_default_names(board, name):
    assert calibration.default_name(BOARD.model_copy(update={"board": board})) == name
