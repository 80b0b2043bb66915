import math
import statistics
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tflm_devices
from blind import is_blind, name_of


def test_a_faster_core_needs_fewer_cycles():
    m33, m7 = (tflm_devices.core_factor(core) for core in ("cortex-m33", "cortex-m7"))
    assert 0.8 < m33 < 0.9
    assert 0.5 < m7 < 0.6


def test_the_clock_costs_cycles_on_the_cortex_m4_alone():
    slow, fast = (tflm_devices.core_factor("cortex-m4", clock_mhz=clock) for clock in (64, 180))
    assert fast > 1.3 * slow
    factors = {tflm_devices.core_factor("cortex-m33", clock_mhz=clock) for clock in (64, 200)}
    assert len(factors) == 1


def test_the_board_itself_has_a_factor_of_about_one():
    assert tflm_devices.core_factor("cortex-m4") == pytest.approx(1, abs=0.05)


def test_without_any_device_the_guess_is_left():
    left_out = tflm_devices.devices("cortex-m7")
    assert tflm_devices.core_factor("cortex-m7", left_out) == pytest.approx(0.6, rel=0.01)


@pytest.mark.parametrize("device", ["NUCLEO-U575ZI-Q", "DISCO-F746NG", "Nano 33 BLE"])
def test_a_device_is_between_its_core_and_its_own_models(device):
    cells = [one for one in tflm_devices.cells() if one.device == device]
    own = math.exp(statistics.mean(one.log for one in cells))
    clock = {"NUCLEO-U575ZI-Q": 160, "DISCO-F746NG": 216, "Nano 33 BLE": 64}[device]
    core = tflm_devices.core_factor(cells[0].core, (device,), clock)
    low, high = sorted((own, core))
    assert low < tflm_devices.device_factor(device) < high


def test_a_core_that_no_device_has_is_refused():
    with pytest.raises(ValueError, match="expected one of cortex-m4, cortex-m33, cortex-m7, got cortex-m55"):
        tflm_devices.core_factor("cortex-m55")


def test_blind_latencies_are_in_no_cell():
    def blind(row):
        return is_blind(name_of(row.device, row.model, row.arithmetic, 1))

    assert not any(blind(pair.row) for pair in tflm_devices.pairs())
    # The other half of a pair may be the blind one.
    known = {(pair.row.id) for pair in tflm_devices.pairs()}
    assert tflm_devices.blind_pairs()
    assert not any(pair.row.id in known for pair in tflm_devices.blind_pairs())
    assert "visual_wake_words" not in {one.model for one in tflm_devices.cells() if one.device != "EK-RA6M4"}
