"""What runs on the device: it looks at it, keeps models, and times them.

    python agent.py FOLDER

One file, because it travels; for Python 3.7 and later. It needs NumPy and a runtime, and only for jobs.

Messages come on stdin: a line of JSON, then ``size`` raw bytes if the line says so. Answers go to stdout,
each on a line of its own behind a marker, so that whatever else is printed there confuses nobody. The
program ends at the end of its stdin, at ``{"do": "end"}``, or when its time is up.

Jobs run in children that are forked when NumPy and the runtime are already loaded: that is quick, a crash
is the child's alone, and a child's peak of memory is its own. The parent has no threads; it waits for its
stdin and for the child at once.
"""

# Python 3.7's zip has no strict=; paths of /proc and /sys are patterns, and os.path is enough for the rest.
# ruff: noqa: B905, PTH100, PTH103, PTH104, PTH107, PTH110, PTH113, PTH116, PTH118, PTH119, PTH120, PTH123, PTH207

from __future__ import annotations

import base64
import contextlib
import gc
import glob
import hashlib
import io
import json
import os
import platform
import resource
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

MARK = b"\n@edgesqueeze@ "
IDLE_LIMIT_S = 600.0
LEAST_RUNS = 10
MOST_RUNS = 100000
MOST_SAID_BYTES = 8 << 20
WARMUP_END_NS = 1000000000
BUSY_SECONDS = 0.1
KEPT_FILES = 32
KEPT_BYTES = 512 * 1024 * 1024
RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert", ("ai-edge-litert", "ai-edge-litert-nightly")),
    ("tflite-runtime", "tflite_runtime", ("tflite-runtime", "tflite-runtime-nightly")),
    ("tensorflow", "tensorflow", ("tensorflow", "tensorflow-cpu", "tensorflow-aarch64", "tf-nightly")),
)
THROTTLED_FILE = "/sys/devices/platform/soc/soc:firmware/get_throttled"
CPUINFO_NAMES = ("CPU implementer", "CPU part", "CPU variant", "model name", "isa", "uarch")
CPUINFO_WHOLE = ("Hardware", "Model", "Features", "flags", "cpu MHz")

if TYPE_CHECKING:  # Python 3.7 cannot evaluate them.
    Message = dict[str, Any]
    Runtime = tuple[str, str, Any]


# What the device is. Whatever cannot be read is None.


def look(folder: str) -> dict[str, Any]:
    """Everything about the device, as its files say it."""
    dmi = [read("/sys/class/dmi/id/" + name) for name in ("sys_vendor", "product_name")]
    tree = read("/proc/device-tree/compatible")
    memory = fields(read("/proc/meminfo"), ":")
    return {
        "board": read("/proc/device-tree/model") or " ".join(filter(None, dmi)) or None,
        "compatible": [part for part in (tree or "").split("\0") if part],
        "processors": processors(),
        "cores": os.cpu_count() or 1,
        "usable_cores": len(os.sched_getaffinity(0)),
        "clocks": clocks(),
        "caches": caches(),
        "memory": {key: kilobytes(memory.get(key)) for key in ("MemTotal", "MemAvailable", "SwapTotal")},
        "temperature_c": temperature(),
        "throttled": throttled(),
        "load": attempt(os.getloadavg),
        "os": fields(read("/etc/os-release"), "=").get("PRETTY_NAME", "").strip('"') or None,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "bits": struct.calcsize("P") * 8,
        "python": platform.python_version(),
        "python_path": sys.executable,
        "runtimes": {name: version for name, version in map(found, RUNTIMES) if version},
        "numpy": distribution("numpy"),
        "free_bytes": attempt(lambda: shutil.disk_usage(folder).free),
        "busy_cores": busy_cores(),
    }


def read(path: str, limit: int = 65536) -> str | None:
    """A small text file."""
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace").strip("\0 \t\r\n")
    except OSError:
        return None


def number(path: str) -> int | None:
    """A file that holds a number."""
    try:
        return int(read(path) or "", 0)
    except ValueError:
        return None


def fields(text: str | None, separator: str) -> dict[str, str]:
    """Lines of keys and values."""
    pairs = [line.partition(separator) for line in (text or "").splitlines() if separator in line]
    return {key.strip(): value.strip() for key, _, value in pairs}


def said_by(*command: str) -> str:
    """What a program prints; nothing if it fails or is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def attempt(work: Callable[[], Any]) -> Any:
    """What a function returns; None if it cannot."""
    try:
        return work()
    except (OSError, ValueError, AttributeError):
        return None


def kilobytes(text: str | None) -> int | None:
    """Bytes, from a number of kilobytes."""
    words = (text or "").split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def processors() -> dict[str, Any]:
    """Kinds of processors with their numbers, and what /proc/cpuinfo says about all of them."""
    kinds: list[Any] = []
    whole = {}
    for block in (read("/proc/cpuinfo", 4 << 20) or "").split("\n\n"):
        lines = fields(block, ":")
        whole.update({key: lines[key] for key in CPUINFO_WHOLE if key in lines})
        if "processor" not in lines:
            continue
        names = {key: lines[key] for key in CPUINFO_NAMES if key in lines}
        same = [kind for kind in kinds if kind["names"] == names]
        if same:
            same[0]["count"] += 1
        else:
            kinds.append({"names": names, "count": 1})
    parts = ("/physical_package_id", "/cluster_id", "/core_id")
    topology = glob.glob("/sys/devices/system/cpu/cpu[0-9]*/topology")
    cores = {tuple(read(folder + part) for part in parts) for folder in topology}
    return {"kinds": kinds, "whole": whole, "physical": len(cores) or None}


def clocks() -> list[dict[str, Any]]:
    """Groups of processors that share a clock."""
    return [
        {
            "cpus": read(policy + "/related_cpus") or "",
            "governor": read(policy + "/scaling_governor"),
            "current_khz": number(policy + "/scaling_cur_freq"),
            "max_khz": number(policy + "/cpuinfo_max_freq"),
            "limit_khz": number(policy + "/scaling_max_freq"),
        }
        for policy in sorted(glob.glob("/sys/devices/system/cpu/cpufreq/policy[0-9]*"))
    ]


def clock_mhz() -> float | None:
    """The fastest clock of this moment."""
    values = [clock["current_khz"] for clock in clocks() if clock["current_khz"]]
    return max(values) / 1000.0 if values else None


def caches() -> list[dict[str, Any]]:
    """Kinds of caches with their numbers."""
    found: dict[Any, set[str | None]] = {}
    for index in glob.glob("/sys/devices/system/cpu/cpu[0-9]*/cache/index[0-9]*"):
        size = read(index + "/size") or ""
        if size.endswith("K") and size[:-1].isdigit():
            key = (number(index + "/level"), read(index + "/type"), int(size[:-1]) * 1024)
            found.setdefault(key, set()).add(read(index + "/shared_cpu_list"))
    ordered = sorted(found.items(), key=lambda item: str(item[0]))
    return [{"level": k[0], "kind": k[1], "size_bytes": k[2], "count": len(v)} for k, v in ordered]


def temperature() -> float | None:
    """Degrees Celsius of the processor's zone if one is called so, else of the hottest."""
    zones = []
    for zone in glob.glob("/sys/class/thermal/thermal_zone[0-9]*"):
        value = number(zone + "/temp")
        if value is not None and 0 < value < 200000:
            zones.append(("cpu" in (read(zone + "/type") or "").lower(), value / 1000.0))
    if zones:
        return max(zones)[1]
    said = said_by("vcgencmd", "measure_temp").replace("temp=", "").replace("'C", "")
    degrees: float | None = attempt(lambda: float(said))
    return degrees


def throttled() -> int | None:
    """The bits of the Raspberry Pi's firmware."""
    text = read(THROTTLED_FILE) or said_by("vcgencmd", "get_throttled").replace("throttled=", "")
    bits: int | None = attempt(lambda: int(text, 16))
    return bits


def busy_cores() -> float | None:
    """How many processors are busy with something else: this program sleeps meanwhile."""
    before = cpu_ticks()
    time.sleep(BUSY_SECONDS)
    after = cpu_ticks()
    if before is None or after is None or after[1] <= before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1]) * (os.cpu_count() or 1)


def cpu_ticks() -> tuple[int, int] | None:
    """Busy and all ticks of all processors since the start; see proc_stat(5)."""
    words = (read("/proc/stat") or "").split("\n")[0].split()[1:9]
    ticks: list[int] = attempt(lambda: [int(word) for word in words]) or []
    return (sum(ticks) - ticks[3] - ticks[4], sum(ticks)) if len(ticks) == 8 else None


def found(runtime: tuple[str, str, tuple[str, ...]]) -> tuple[str, str | None]:
    """A runtime's name, and its version if it is installed."""
    return runtime[0], next(filter(None, map(distribution, runtime[2])), None)


def distribution(name: str) -> str | None:
    """A package's version as pip knows it; nothing is imported."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        stem = name.replace("-", "_")
        for folder in sys.path:
            for info in glob.glob(os.path.join(glob.escape(folder), stem + "-*.dist-info")):
                return os.path.basename(info)[len(stem) + 1 : -len(".dist-info")]
        return None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def load_runtime() -> Runtime:
    """Import the first runtime that works: (its name, its version, its Interpreter)."""
    problems = []
    for runtime in RUNTIMES:
        name, version = found(runtime)
        if not version:
            continue
        try:
            import numpy  # noqa: F401

            if name == "tensorflow":
                from tensorflow import lite

                return name, version, lite.Interpreter
            module = __import__(runtime[1] + ".interpreter", fromlist=["Interpreter"])
            return name, version, module.Interpreter
        except Exception as error:
            problems.append(f"{name} {version} cannot be imported: {one_line(error)}")
    raise RuntimeError("; ".join(problems) or f"no package of it is known to {sys.executable}")


def one_line(error: BaseException) -> str:
    """An error's class and last line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no message'}"


# Jobs, in a child.


def run_job(job: Message, inputs: bytes, runtime: Runtime) -> dict[str, Any]:
    """Load the model, time it, and return everything about that."""
    import numpy as np

    name, version, interpreter_class = runtime
    start = time.perf_counter_ns()
    interpreter, values = loaded(np, job, inputs, interpreter_class)
    result = {**named(job), "error": "", "runtime": name, "runtime_version": version}
    result["load_ns"] = time.perf_counter_ns() - start
    fill(np, interpreter, values, job["seed"])
    gc.collect()
    gc.disable()
    begin = time.perf_counter_ns()
    interpreter.invoke()
    first = outputs_of(np, interpreter) if job["want_outputs"] else None
    warm_up(interpreter.invoke, job)
    result["times_ns"] = timed(interpreter.invoke, job)
    result["sustained"] = sustained(interpreter.invoke, job["sustain_seconds"])
    result["busy_ns"] = time.perf_counter_ns() - begin
    if first is not None:
        if job["restart"]:
            interpreter, values = loaded(np, job, inputs, interpreter_class)
            fill(np, interpreter, values, job["seed"])
            interpreter.invoke()
        last = outputs_of(np, interpreter)
        result["steady"] = all(a.tobytes() == b.tobytes() for a, b in zip(first, last))
        result["outputs"] = [stored(np, value) for value in first]
    return result


def loaded(np: Any, job: Message, inputs: bytes, interpreter_class: Any) -> tuple[Any, list[Any] | None]:
    """The model, ready to run, and the inputs that were sent, if any."""
    interpreter = interpreter_class(model_path=job["path"], num_threads=job["threads"])
    details = interpreter.get_input_details()
    values = stored_inputs(np, inputs, len(details)) if inputs else None
    for detail, value in zip(details, values or ()):
        if tuple(detail["shape"]) != value.shape:
            interpreter.resize_tensor_input(detail["index"], value.shape)
    interpreter.allocate_tensors()
    return interpreter, values


def fill(np: Any, interpreter: Any, values: list[Any] | None, seed: int) -> None:
    """Give the interpreter its inputs: those that were sent, else random ones."""
    details = interpreter.get_input_details()
    for detail, value in zip(details, values or random_inputs(np, details, seed)):
        interpreter.set_tensor(detail["index"], value)


def stored_inputs(np: Any, content: bytes, count: int) -> list[Any]:
    """The arrays of an .npz."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        if len(file.files) != count:
            raise ValueError(f"the model takes {count} inputs, and {len(file.files)} came")
        return [file[f"input_{i}"] for i in range(count)]


def random_inputs(np: Any, details: Any, seed: int) -> Iterator[Any]:
    """Quantized integers over their whole range, others 0 or 1, floats standard normal."""
    rng = np.random.RandomState(seed)
    for detail in details:
        shape, kind = detail["shape"], np.dtype(detail["dtype"])
        if kind.kind in "iu":
            quantized = len(detail["quantization_parameters"]["scales"]) > 0
            low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if quantized else (0, 1)
            yield rng.randint(low, high + 1, shape, dtype=np.int64).astype(kind)
        elif kind.kind == "b":
            yield rng.randint(0, 2, shape).astype(kind)
        else:
            yield rng.standard_normal(shape).astype(kind)


def outputs_of(np: Any, interpreter: Any) -> list[Any]:
    """Copies of the outputs."""
    return [np.array(interpreter.get_tensor(detail["index"])) for detail in interpreter.get_output_details()]


def stored(np: Any, value: Any) -> str:
    """An array as the base64 of an .npy."""
    content = io.BytesIO()
    np.save(content, value, allow_pickle=False)
    return base64.b64encode(content.getvalue()).decode("ascii")


def warm_up(invoke: Callable[[], None], job: Message) -> None:
    """Run until runs and time are enough; the first run is already done."""
    least = int(job["warmup_seconds"] * 1e9)
    start, runs, passed = time.perf_counter_ns(), 1, 0
    while (runs < job["warmup_runs"] or passed < least) and passed < WARMUP_END_NS:
        invoke()
        runs += 1
        passed = time.perf_counter_ns() - start


def timed(invoke: Callable[[], None], job: Message) -> list[int]:
    """Nanoseconds of each run."""
    clock = time.perf_counter_ns
    min_runs, min_ns, max_ns = job["min_runs"], job["min_seconds"] * 1e9, job["max_seconds"] * 1e9
    least = min(min_runs, LEAST_RUNS)
    times: list[int] = []
    begin = clock()
    while True:
        start = clock()
        invoke()
        end = clock()
        times.append(end - start)
        runs, passed = len(times), end - begin
        enough = runs >= min_runs and passed >= min_ns
        if enough or (runs >= least and passed >= max_ns) or runs >= MOST_RUNS:
            return times


def sustained(invoke: Callable[[], None], seconds: float) -> list[list[Any]]:
    """Second by second: time, median in nanoseconds, temperature, clock, whether throttled."""
    clock = time.perf_counter_ns
    rows = []
    begin = clock()
    while clock() - begin < seconds * 1e9:
        times: list[int] = []
        second = clock()
        while clock() - second < 1e9:
            start = clock()
            invoke()
            times.append(clock() - start)
        times.sort()
        bits = throttled()
        now = None if bits is None else bool(bits & 0xF)
        rows.append([(clock() - begin) / 1e9, times[len(times) // 2], temperature(), clock_mhz(), now])
    return rows


def peak_rss() -> int:
    """The largest resident set of this process, in bytes."""
    text = fields(read("/proc/self/status"), ":").get("VmHWM")
    return kilobytes(text) or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def named(job: Message) -> dict[str, Any]:
    """What tells jobs apart."""
    return {"name": job["name"], "threads": job["threads"]}


def failed(job: Message, reason: str) -> dict[str, Any]:
    """The result of a job that did not work."""
    return {**named(job), "error": reason}


class Worker:
    """A child that runs jobs, one after the other."""

    def __init__(self, folder: str, runtime: Runtime) -> None:
        self.said = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        inner, self.jobs = os.pipe()
        self.results, outer = os.pipe()
        self.pending = b""
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.jobs)
            os.close(self.results)
            self.live(inner, outer, runtime)
        os.close(inner)
        os.close(outer)

    def live(self, inner: int, outer: int, runtime: Runtime) -> NoReturn:
        """The child's whole life."""
        status = 1
        try:
            for name in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            die_with_parent()
            resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_SAID_BYTES, MOST_SAID_BYTES))
            os.dup2(self.said.fileno(), 1)
            os.dup2(self.said.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            gc.freeze()  # What is loaded need not be looked through for every job.
            self.serve(inner, outer, runtime)
            status = 0
        except BaseException as error:
            write_all(2, one_line(error).encode("utf-8") + b"\n")
        finally:
            os._exit(status)

    def serve(self, inner: int, outer: int, runtime: Runtime) -> None:
        """Run jobs until there are no more."""
        with os.fdopen(inner, "rb") as jobs:
            for line in iter(jobs.readline, b""):
                job = json.loads(line.decode("utf-8"))
                inputs = jobs.read(job["size"])
                at = os.fstat(2).st_size
                try:
                    result = run_job(job, inputs, runtime)
                except MemoryError:
                    result = failed(job, "the device has not enough memory for this model")
                except Exception as error:
                    result = failed(job, one_line(error))
                gc.enable()
                if job["fresh_process"]:
                    result["peak_rss_bytes"] = peak_rss()
                result["notes"] = self.words(at)
                write_all(outer, json.dumps(result).encode("utf-8") + b"\n")

    def words(self, at: int = 0) -> list[str]:
        """What was written to stderr, the last lines of it."""
        size = os.fstat(self.said.fileno()).st_size
        text = os.pread(self.said.fileno(), 8192, max(at, size - 8192)).decode("utf-8", "replace")
        return [line.strip()[:500] for line in text.splitlines() if line.strip()][-20:]

    def give(self, job: Message, inputs: bytes) -> None:
        """Hand the child a job."""
        # If it has crashed, its end of the other pipe says so too.
        with contextlib.suppress(BrokenPipeError):
            write_all(self.jobs, json.dumps(job).encode("utf-8") + b"\n" + inputs)

    def take(self) -> bool | None:
        """Read from the child: whether ``pending`` is a whole result, or None if the child is gone."""
        data = os.read(self.results, 1 << 20)
        self.pending += data
        return self.pending.endswith(b"\n") if data else None

    def end(self, kill: bool = False) -> int:
        """End the child and return its wait status."""
        for pipe in (self.jobs, self.results):
            os.close(pipe)
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        self.said.close()
        return status


def die_with_parent() -> None:
    """Have the kernel end this process when its parent is gone, and end it first when memory runs out."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError, ImportError):
        pass
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        pass


def digest(path: str) -> str:
    """The SHA-256 of a file, in hex."""
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 18), b""):
            whole.update(chunk)
    return whole.hexdigest()


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything, however long it takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def describe(status: int, words: list[str]) -> str:
    """Why a child ended, in one sentence."""
    told = [line for line in words if not line.startswith("INFO:")]
    tail = ": " + told[-1] if told else ""
    if not os.WIFSIGNALED(status):
        return f"its process ended with status {os.WEXITSTATUS(status)}{tail}"
    number = os.WTERMSIG(status)
    hint = {
        signal.SIGKILL: " (most likely the device ran out of memory)",
        signal.SIGILL: " (the runtime was built for another processor)",
        signal.SIGSEGV: " (the runtime crashed)",
        signal.SIGABRT: " (the runtime gave up)",
    }.get(signal.Signals(number), "")
    return f"its process was killed by {signal.Signals(number).name}{hint}{tail}"


# The conversation, in the parent.


class Closed(BaseException):
    """Nobody is listening any more, or the time is up."""


class Agent:
    """Reads messages, keeps models, hands jobs to children and their results back."""

    def __init__(self, folder: str, out: int) -> None:
        self.folder, self.out = folder, out
        self.models = os.path.join(folder, "models")
        self.buffer = b""
        self.worker: Worker | None = None
        self.runtime: Runtime | None = None
        self.part = os.path.join(self.models, f"part-{os.getpid()}")
        self.used: set[str] = set()
        self.deadline = time.monotonic() + IDLE_LIMIT_S
        os.makedirs(self.models, mode=0o700, exist_ok=True)
        self.remove_parts()

    def tell(self, **answer: Any) -> None:
        """Send an answer."""
        write_all(self.out, MARK + json.dumps(answer).encode("utf-8") + b"\n")

    def serve(self) -> None:
        """Answer messages until there are no more."""
        self.tell(hello=1)
        while True:
            message = json.loads(self.line().decode("utf-8"))
            if message["do"] == "end":
                return
            try:
                getattr(self, "do_" + message["do"])(message)
            except OSError as error:
                self.tell(fault="system", errno=error.errno, message=str(error))

    def do_limit(self, message: Message) -> None:
        """So many more seconds to live."""
        self.deadline = time.monotonic() + float(message["seconds"])
        signal.setitimer(signal.ITIMER_REAL, float(message["seconds"]) + 30)

    def do_look(self, message: Message) -> None:
        """Say what the device is."""
        self.tell(look=look(self.folder))

    def do_have(self, message: Message) -> None:
        """Say which models are missing here, or are not what they were: memory cards rot."""
        missing = []
        for sha256 in message["models"]:
            path = self.path(sha256)
            if attempt(lambda path=path: digest(path)) == sha256:  # type: ignore[misc]
                self.used.add(path)
                attempt(lambda path=path: os.utime(path, None))  # type: ignore[misc]
            else:
                missing.append(sha256)
        self.tell(missing=missing)

    def do_put(self, message: Message) -> None:
        """Receive a model beside its place, check it, and rename it."""
        path, left, received = self.path(message["sha256"]), message.get("size", 0), hashlib.sha256()
        try:
            with open(self.part, "wb") as file:
                for chunk in self.chunks(left):
                    left -= len(chunk)
                    received.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            whole = received.hexdigest() == message["sha256"]
            if whole:
                os.rename(self.part, path)
        except OSError:
            for _ in self.chunks(left):
                pass
            raise
        finally:
            attempt(lambda: os.remove(self.part))
        if whole:
            self.used.add(path)
            self.tell(put=message["sha256"])
        else:
            self.tell(fault="damaged", message="the model arrived damaged")

    def do_load(self, message: Message) -> None:
        """Load the runtime; jobs do it too, if it is not loaded yet."""
        runtime = self.load()
        if runtime:
            self.tell(loaded=runtime[:2])

    def load(self) -> Runtime | None:
        """The runtime, or a fault."""
        if self.runtime is None:
            try:
                self.runtime = load_runtime()
            except RuntimeError as error:
                self.tell(fault="runtime", message=str(error))
        return self.runtime

    def do_job(self, message: Message) -> None:
        """Run a job."""
        inputs = b"".join(self.chunks(message["size"]))
        message["path"] = self.path(message["sha256"])
        runtime = self.load()
        if runtime is None:
            return
        if not os.path.isfile(message["path"]):
            self.tell(result=failed(message, "the model is gone from the device"))
            return
        self.tell(result=self.run(message, inputs, runtime))

    def run(self, job: Message, inputs: bytes, runtime: Runtime) -> dict[str, Any]:
        """The result of a job, from a child of its own or from one that lives on."""
        if job["fresh_process"]:
            self.end_worker()
        if self.worker is None:
            self.worker = Worker(self.folder, runtime)
        worker = self.worker
        worker.give(job, inputs)
        until = time.monotonic() + job["limit_seconds"]
        while self.wait(worker.results, until):
            whole = worker.take()
            if whole is None:
                words = worker.words()
                return failed(job, describe(self.end_worker(), words))
            if whole:
                line, worker.pending = worker.pending, b""
                if job["fresh_process"]:
                    self.end_worker()
                result: dict[str, Any] = json.loads(line.decode("utf-8"))
                return result
        self.end_worker(kill=True)
        return failed(job, f"it took longer than {job['limit_seconds']:g} s")

    def end_worker(self, kill: bool = False) -> int:
        """End the child if there is one; its wait status."""
        worker, self.worker = self.worker, None
        return worker.end(kill) if worker else 0

    def path(self, sha256: str) -> str:
        """Where a model is kept."""
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise ValueError(f"not a SHA-256: {sha256!r}")
        return os.path.join(self.models, sha256 + ".tflite")

    def line(self) -> bytes:
        """The next line of input."""
        while b"\n" not in self.buffer:
            self.wait(None, None)
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def chunks(self, size: int) -> Iterator[bytes]:
        """So many bytes of input, as they come."""
        while size:
            if not self.buffer:
                self.wait(None, None)
            chunk, self.buffer = self.buffer[:size], self.buffer[size:]
            size -= len(chunk)
            yield chunk

    def wait(self, descriptor: int | None, until: float | None) -> bool:
        """Wait for a descriptor (True) or a point in time (False), or without them for input; read input."""
        others = [] if descriptor is None else [descriptor]
        while True:
            end = self.deadline if until is None else min(until, self.deadline)
            ready = select.select([0, *others], [], [], max(0.0, end - time.monotonic()))[0]
            if 0 in ready:
                data = os.read(0, 1 << 18)
                if not data:
                    raise Closed("end of input")
                self.buffer += data
                if descriptor is None:
                    return True
            if descriptor in ready:
                return True
            if time.monotonic() >= self.deadline:
                self.tell(fault="time", message="the time limit of the whole session is over")
                raise Closed("time is up")
            if until is not None and time.monotonic() >= until:
                return False

    def remove_parts(self) -> None:
        """Remove what agents left that were ended by force."""
        for path in glob.glob(os.path.join(glob.escape(self.models), "part-*")):
            if not os.path.exists("/proc/" + path.rsplit("-", 1)[1]):
                attempt(lambda path=path: os.remove(path))  # type: ignore[misc]

    def remove_oldest(self) -> None:
        """Keep the newest models, and before them those of this session."""
        files = []
        for path in glob.glob(os.path.join(glob.escape(self.models), "*.tflite")):
            status = os.stat(path)
            files.append((path in self.used, status.st_mtime, status.st_size, path))
        total = 0
        for place, (_, _, size, path) in enumerate(sorted(files, reverse=True)):
            total += size
            if place and (place >= KEPT_FILES or total > KEPT_BYTES):
                os.remove(path)

    def close(self) -> None:
        """End the child, and tidy up."""
        self.end_worker(kill=True)
        attempt(lambda: os.remove(self.part))
        attempt(self.remove_oldest)


def is_private(folder: str) -> bool:
    """Whether a folder belongs to this user, and nobody else can write to it."""
    status = os.lstat(folder)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def stop(*_: Any) -> NoReturn:
    """A signal asks this program to end."""
    raise Closed("signal")


def main(folder: str) -> None:
    """Serve until the end of stdin."""
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path and os.path.abspath(path) != own]
    # A thread per core of NumPy's would only take memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.umask(0o077)
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
        signal.signal(name, stop)
    signal.setitimer(signal.ITIMER_REAL, IDLE_LIMIT_S + 30)
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not is_private(folder):
            fault = {"fault": "open-folder", "message": folder}
            write_all(out, MARK + json.dumps(fault).encode("utf-8") + b"\n")
            return
        agent = Agent(folder, out)
    except OSError as error:
        failure = {"fault": "system", "errno": error.errno, "message": str(error)}
        write_all(out, MARK + json.dumps(failure).encode("utf-8") + b"\n")
        return
    try:
        agent.serve()
    except (Closed, BrokenPipeError):
        pass
    finally:
        agent.close()


if __name__ == "__main__":
    main(sys.argv[1])
