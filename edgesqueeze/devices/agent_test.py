"""The agent as a program, with a runtime that does what the model's bytes say."""

import ast
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgesqueeze.devices import installer
from edgesqueeze.devices.channel import Channel
from edgesqueeze.devices.session import AGENT, packed
from edgesqueeze.errors import DeviceError

WAIT_SECONDS = 300
"""For what is bound to come, on a machine that has much else to do."""

RUNTIME = """
import os, signal, sys, time
import numpy as np

class Interpreter:
    def __init__(self, model_path, num_threads):
        self.text = open(model_path).read()
        self.runs = 0
        if self.text == "broken":
            raise ValueError("first line\\nnot a model")
        print("a library prints to stdout")
        sys.stderr.write("INFO: loaded\\n")
    def get_input_details(self):
        scales = {"scales": np.ones(1)}
        return [{"index": 0, "shape": np.array([1, 2]), "dtype": np.int8, "quantization_parameters": scales}]
    def get_output_details(self):
        return [{"index": 1}]
    def resize_tensor_input(self, index, shape):
        self.shape = shape
    def allocate_tensors(self):
        pass
    def set_tensor(self, index, value):
        self.value = value
    def get_tensor(self, index):
        return self.value * 2 + (self.runs if self.text == "counts" else 0)
    def invoke(self):
        self.runs += 1
        if self.text.startswith("signal"):
            sys.stderr.write("last words\\n")
            sys.stderr.flush()
            os.kill(os.getpid(), int(self.text[6:]))
        if self.text == "talks":
            try:
                os.write(2, b"x" * 999_999 + b"\\n")
            except OSError:
                pass
        if self.text == "memory":
            raise MemoryError
        if self.text.startswith("sleep"):
            time.sleep(float(self.text[5:]))
        if self.text.startswith("pid"):
            open(self.text[3:], "w").write(str(os.getpid()))
            time.sleep(60)
"""


@pytest.fixture
def environment(tmp_path):
    package = tmp_path / "packages" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text(RUNTIME)
    info = tmp_path / "packages" / "ai_edge_litert-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 9.9\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "packages")}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def agent(environment, folder):
    with start(environment, folder) as channel:
        assert channel.answer(30) == {"hello": 1}
        yield channel


def start(environment, folder):
    def lost(status, said):
        return DeviceError(f"lost {status}", got=said)

    return Channel(
        [sys.executable, str(AGENT), str(folder)],
        lost,
        lambda fault: DeviceError(json.dumps(fault)),
        environment,
    )


def put(agent, text):
    content = text.encode()
    sha256 = hashlib.sha256(content).hexdigest()
    agent.tell({"do": "have", "models": [sha256]})
    if agent.answer(WAIT_SECONDS)["missing"]:
        agent.tell({"do": "put", "sha256": sha256}, content)
        assert agent.answer(WAIT_SECONDS) == {"put": sha256}
    return sha256


def run(agent, text, inputs=None, **changes):
    job = {"do": "job", "size": 0, "name": "m", "sha256": put(agent, text), "threads": 1, "seed": 0}
    job |= {"warmup_runs": 1, "warmup_seconds": 0, "min_runs": 3, "min_seconds": 0, "max_seconds": 1}
    job |= {
        "sustain_seconds": 0,
        "want_outputs": True,
        "restart": False,
        "fresh_process": False,
        "limit_seconds": WAIT_SECONDS,
        **changes,
    }
    agent.tell(job, packed(inputs))
    return agent.answer(600)["result"]


def alive(pid):
    with contextlib.suppress(OSError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def wait_for(condition, seconds=WAIT_SECONDS):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("program", [AGENT, Path(installer.__file__)])
def test_python_3_7_can_read_it(program):
    ast.parse(program.read_text(), feature_version=(3, 7))


def test_a_job(agent):
    result = run(agent, "fine", [np.array([[3, -4]], np.int8)])
    assert result["error"] == ""
    assert len(result["times_ns"]) == 3
    assert (result["runtime"], result["runtime_version"]) == ("ai-edge-litert", "9.9")
    assert (
        result["notes"] == ["a library prints to stdout", "INFO: loaded"] or "INFO: loaded" in result["notes"]
    )
    assert result["steady"] is True
    assert "peak_rss_bytes" not in result


def test_random_inputs_depend_on_the_seed_alone(agent):
    outputs = [run(agent, "fine", seed=seed)["outputs"] for seed in (1, 1, 2)]
    assert outputs[0] == outputs[1] != outputs[2]


def test_many_results_of_many_bytes(agent):
    result = run(agent, "fine", min_runs=100_000, max_seconds=600, limit_seconds=600)
    assert len(result["times_ns"]) == 100_000


def test_measuring_ends_with_the_time_but_not_before_ten_runs(agent):
    result = run(agent, "sleep0.02", min_runs=1000, max_seconds=0.05)
    assert len(result["times_ns"]) == 10
    assert min(result["times_ns"]) >= 0.02e9
    assert len(run(agent, "sleep0.02", min_runs=1000, max_seconds=0.5)["times_ns"]) < 30


def test_a_sustained_run_has_a_row_for_each_second(agent):
    rows = run(agent, "sleep0.01", sustain_seconds=1.5)["sustained"]
    ends = [row[0] for row in rows]
    # Where the machine stalls, a second is longer.
    assert all(end - begin >= 1 for begin, end in zip([0.0, *ends], ends, strict=False))
    assert ends[-1] >= 1.5 and all(end < 1.5 for end in ends[:-1])
    assert all(0.01e9 <= row[1] <= row[0] * 1e9 for row in rows)


def test_a_process_of_its_own_has_its_own_peak(agent):
    result = run(agent, "fine", fresh_process=True)
    assert 5e6 < result["peak_rss_bytes"] < 1e9


@pytest.mark.parametrize("fresh", [True, False])
def test_a_crash_is_one_jobs_error(agent, fresh):
    result = run(agent, f"signal{int(signal.SIGSEGV)}", fresh_process=fresh)
    assert result["error"] == "its process was killed by SIGSEGV (the runtime crashed): last words"
    assert "ran out of memory" in run(agent, f"signal{int(signal.SIGKILL)}", fresh_process=fresh)["error"]
    assert "another processor" in run(agent, f"signal{int(signal.SIGILL)}", fresh_process=fresh)["error"]
    assert run(agent, "fine", fresh_process=fresh)["error"] == ""


def test_errors_of_the_runtime(agent):
    assert run(agent, "")["error"] == ""
    assert run(agent, "broken")["error"] == "ValueError: not a model"
    assert "not enough memory" in run(agent, "memory")["error"]
    assert "takes 1 inputs, and 2 came" in run(agent, "fine", [np.zeros((1, 2), np.int8)] * 2)["error"]
    assert run(agent, "fine")["error"] == ""


def test_a_job_that_does_not_end_is_ended(agent):
    assert run(agent, "sleep30", limit_seconds=0.5)["error"] == "it took longer than 0.5 s"
    assert run(agent, "fine")["error"] == ""


@pytest.mark.parametrize("ending", ["eof", "kill", "term"])
def test_nothing_outlives_the_conversation(environment, folder, tmp_path, ending):
    agent = start(environment, folder)
    agent.answer(WAIT_SECONDS)
    sha256 = put(agent, f"pid{tmp_path / 'pid'}")
    job = {
        "do": "job",
        "size": 0,
        "name": "m",
        "sha256": sha256,
        "threads": 1,
        "seed": 0,
        "limit_seconds": 2 * WAIT_SECONDS,
    }
    job |= {"want_outputs": False, "restart": False, "fresh_process": False, "warmup_runs": 0}
    agent.tell(job)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child = int((tmp_path / "pid").read_text())
    assert alive(child)
    if ending == "eof":
        agent.close()
    else:
        agent._process.send_signal(signal.SIGKILL if ending == "kill" else signal.SIGTERM)
        agent._process.wait(WAIT_SECONDS)
    wait_for(lambda: not alive(child))
    agent.close()
    assert [path.name for path in folder.iterdir()] == ["models"]


def test_the_time_of_the_whole_is_limited(agent):
    agent.tell({"do": "limit", "seconds": 0.3})
    with pytest.raises(DeviceError, match="time limit"):
        agent.answer(WAIT_SECONDS)
    wait_for(lambda: agent.ended)


def test_a_damaged_model_is_not_kept(agent, folder):
    agent.tell({"do": "put", "sha256": "0" * 64}, b"something else")
    with pytest.raises(DeviceError, match="damaged"):
        agent.answer(WAIT_SECONDS)
    assert list((folder / "models").iterdir()) == []
    assert run(agent, "fine")["error"] == ""


def test_a_model_that_has_rotted_is_sent_again(agent, folder):
    sha256 = put(agent, "fine")
    (folder / "models" / f"{sha256}.tflite").write_bytes(bytes(4))
    assert run(agent, "fine")["error"] == ""


def test_a_runtime_that_never_stops_talking_does_not_fill_the_disk(agent, folder):
    result = run(agent, "talks", min_runs=20)
    assert result["error"] == ""
    assert run(agent, f"signal{int(signal.SIGSEGV)}")["error"]


def test_half_an_upload_leaves_nothing(environment, folder):
    agent = start(environment, folder)
    agent.answer(WAIT_SECONDS)
    agent.send(json.dumps({"do": "put", "sha256": "0" * 64, "size": 1000}).encode() + b"\nhalf", 5)
    wait_for(lambda: list((folder / "models").iterdir()))
    agent.close()
    assert list((folder / "models").iterdir()) == []


def test_what_a_killed_agent_left_is_removed(environment, folder):
    (folder / "models").mkdir(parents=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    (folder / "models" / f"part-{gone.pid}").write_text("half")
    (folder / "models" / f"part-{os.getpid()}").write_text("of one that runs")
    with start(environment, folder) as agent:
        agent.answer(WAIT_SECONDS)
    assert [path.name for path in (folder / "models").iterdir()] == [f"part-{os.getpid()}"]


def test_models_are_kept_but_not_for_ever(environment, folder):
    for i in range(40):
        with_age = folder / "models" / f"{i:064x}.tflite"
        with_age.parent.mkdir(parents=True, exist_ok=True)
        with_age.write_text("old")
        os.utime(with_age, (i, i))
    with start(environment, folder) as agent:
        agent.answer(WAIT_SECONDS)
        kept = put(agent, "fine")
        agent.tell({"do": "end"})
        wait_for(lambda: agent.ended)
    left = {path.stem for path in (folder / "models").iterdir()}
    assert len(left) == 32
    assert kept in left
    assert f"{0:064x}" not in left


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/1").exists(), reason="needs /proc")
def test_a_folder_that_cannot_be_written(environment):
    with start(environment, Path("/proc/edgesqueeze")) as agent, pytest.raises(DeviceError, match="errno"):
        agent.answer(WAIT_SECONDS)


def test_a_runtime_that_cannot_be_imported(environment, folder, tmp_path):
    (tmp_path / "packages" / "ai_edge_litert" / "interpreter.py").write_text("raise ImportError('no libc')")
    (tmp_path / "packages" / "numpy.py").write_text("raise ImportError('libopenblas is missing')")
    with start(environment, folder) as agent:
        agent.answer(WAIT_SECONDS)
        agent.tell({"do": "limit", "seconds": 30})
        sha256 = put(agent, "fine")
        agent.tell({"do": "job", "size": 0, "sha256": sha256})
        with pytest.raises(DeviceError, match="cannot be imported: ImportError: libopenblas is missing"):
            agent.answer(WAIT_SECONDS)


def test_a_model_with_state_is_steady_if_it_starts_anew(agent):
    inputs = [np.int8([[1, 2]])]
    carried = run(agent, "counts", inputs)
    assert carried["steady"] is False
    anew = run(agent, "counts", inputs, restart=True)
    assert anew["steady"] is True
    assert anew["outputs"] == carried["outputs"]
