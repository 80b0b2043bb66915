"""A TFLite runtime that misbehaves on a device: the real one, with a fault put into it."""

from __future__ import annotations

from pathlib import Path

FAULTS = {
    "wrong": "",
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "illegal": "os.kill(os.getpid(), signal.SIGILL)",
    "hang": "time.sleep(600)",
    "exit": "os._exit(3)",
    "noise": 'os.write(1, b"@edgesqueeze@ [1, 2\\n\\x1b[31m\\xff\\n"); os.write(2, b"\\x1b]0;title\\x07\\n")',
    "import": "",
}
"""What it does in each inference. ``wrong`` gives back other outputs; ``import`` cannot be imported."""

_MODULE = """\
import os, signal, sys, time

if "FAULT" == "import":
    raise ImportError("libneeded.so.1: cannot open shared object file: No such file or directory")
sys.path.remove(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for name in [name for name in sys.modules if name.split(".")[0] == "ai_edge_litert"]:
    del sys.modules[name]
from ai_edge_litert.interpreter import Interpreter

init, invoke, get_tensor = Interpreter.__init__, Interpreter.invoke, Interpreter.get_tensor


def faulty_init(self, *args, **options):
    self.faulty = options.get("num_threads") in THREADS and "ONLY" in options.get("model_path", "")
    init(self, *args, **options)


def faulty_invoke(self):
    if self.faulty:
        ACTION
    invoke(self)


def faulty_get_tensor(self, index):
    value = get_tensor(self, index)
    outputs = [detail["index"] for detail in self.get_output_details()]
    return value[..., ::-1] if "FAULT" == "wrong" and self.faulty and index in outputs else value


Interpreter.__init__, Interpreter.invoke = faulty_init, faulty_invoke
Interpreter.get_tensor = faulty_get_tensor
"""


def faulty_runtime(
    folder: Path, fault: str, threads: tuple[int, ...] = (1, 2), only: str = ""
) -> dict[str, str]:
    """Make a module that stands before the real ai-edge-litert.

    Args:
        folder: where to put it.
        fault: one of ``FAULTS``.
        threads: it misbehaves when it was asked for one of these numbers of threads ...
        only: ... and for the model of this hash; empty: for every one.

    Returns:
        Environment variables for a device to have it.
    """
    module = folder / "ai_edge_litert"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    text = _MODULE.replace("FAULT", fault).replace("THREADS", repr(threads)).replace("ONLY", only)
    (module / "interpreter.py").write_text(text.replace("ACTION", FAULTS[fault] or "pass"))
    return {"PYTHONPATH": str(folder)}
