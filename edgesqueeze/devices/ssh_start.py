"""How a program gets onto a board and runs there, when all that is known of it is a login shell.

The remote command is the constant ``exec sh``, which every login shell understands. What follows comes on
its stdin: a script that looks for Python and starts a loader, which says whether it has the program; only
then more is sent, because a shell may read ahead. The program is kept by its hash. When it ends, the script
says with what status, since ssh would not tell by which signal it was killed.
"""

from __future__ import annotations

import hashlib
import re

from edgesqueeze.devices.channel import Channel
from edgesqueeze.devices.faults import last_line
from edgesqueeze.errors import DeviceError

REMOTE_COMMAND = "exec sh"
START_SECONDS = 60.0
MAX_STATUS = 128
"""Beyond it a shell means signals."""

# No single quotes in it: the script has it between those. Up to the first exit it must be good for Python 2.
LOADER = r"""
import sys
if sys.version_info < (3, 7):
    line = "@edgesqueeze@ {\"fault\": \"old-python\", \"message\": \"Python %d.%d\"}"
    print("\n" + line % tuple(sys.version_info[:2]))
    sys.exit(0)
import glob, hashlib, json, os, stat
sys.path = [path for path in sys.path if path]
folder, want = sys.argv[1:3]
def tell(answer):
    os.write(1, ("\n@edgesqueeze@ " + json.dumps(answer) + "\n").encode())
def is_private(path):
    status = os.lstat(path)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
place = os.path.join(folder, "programs")
for path in (folder, place):
    if os.path.lexists(path) and not is_private(path):
        tell({"fault": "open-folder", "message": path})
        sys.exit(0)
file = os.path.join(place, want + ".py")
def stored():
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError:
        return b""
def receive():
    head = b""
    while not head.endswith(b"\n"):
        head += os.read(0, 1) or sys.exit(0)
    body = b""
    while len(body) < int(head):
        body += os.read(0, int(head) - len(body)) or sys.exit(0)
    return body
def keep(code):
    os.makedirs(place, mode=0o700, exist_ok=True)
    for old in sorted(glob.glob(os.path.join(glob.escape(place), "*")), key=os.path.getmtime)[:-3]:
        os.remove(old)
    part = os.path.join(place, "part-%d" % os.getpid())
    try:
        with open(part, "wb") as stream:
            stream.write(code)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(part, file)
    finally:
        if os.path.exists(part):
            os.remove(part)
code = stored()
fresh = hashlib.sha256(code).hexdigest() != want
tell({"send": fresh})
if fresh:
    code = receive()
    if hashlib.sha256(code).hexdigest() != want:
        tell({"fault": "damaged", "message": "the program arrived damaged"})
        sys.exit(0)
    try:
        keep(code)
    except OSError as error:
        tell({"fault": "system", "errno": error.errno, "message": str(error)})
        sys.exit(0)
sys.argv = [file, folder]
exec(compile(code, file, "exec"), {"__name__": "__main__", "__file__": file})
"""

# In a function, so that the shell has read all of it before anything runs, and reads nothing after it.
_SCRIPT = """main() {
umask 077
base=${XDG_CACHE_HOME:-}
case $base in /*) ;; *) base=${HOME:-}/.cache ;; esac
if [ "$base" = /.cache ]; then
  printf '\\n@edgesqueeze@ {"fault": "no-home"}\\n'
  exit 0
fi
folder=$base/edgesqueeze
WORK
exit 0
}
main
"""
_RUN = """python=
# Whether a folder is one of the user's own that nobody else can write to; without ls, it is not known.
is_private() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] || return 1
  case $(ls -ld "$1" 2>/dev/null) in d????-??-*) return 0 ;; esac
  return 1
}
own=
if is_private "$folder" && is_private "$folder/venv" && is_private "$folder/venv/bin"; then
  own=$folder/venv/bin/python
fi
for name in CANDIDATES; do
  if command -v "$name" >/dev/null 2>&1; then python=$name; break; fi
done
if [ -z "$python" ]; then
  printf '\\n@edgesqueeze@ {"fault": "no-python"}\\n'
  exit 0
fi
"$python" -c 'LOADER' "$folder" HASH
printf '\\n@edgesqueeze@ {"status": %d}\\n' $?
"""
_FORGET = """there=false
if [ -e "$folder" ]; then there=true; fi
if rm -rf "$folder"; then
  printf '\\n@edgesqueeze@ {"forgot": %s}\\n' $there
else
  printf '\\n@edgesqueeze@ {"fault": "system", "message": "the cache folder cannot be removed"}\\n'
fi
"""
OWN_PYTHON = '"$own"'


def run_script(program: bytes, own_python: bool = True) -> bytes:
    """The script that starts a program of ours.

    Args:
        program: Python source, for Python 3.7 and later.
        own_python: whether to prefer the Python of the environment that ``install`` made.
    """
    digest = hashlib.sha256(program).hexdigest()
    if not re.fullmatch("[0-9a-f]{64}", digest) or "'" in LOADER:
        raise AssertionError("the script would not mean what it says")
    candidates = f"{OWN_PYTHON} python3 python" if own_python else "python3 python"
    work = _RUN.replace("CANDIDATES", candidates).replace("HASH", digest).replace("LOADER", LOADER)
    return _SCRIPT.replace("WORK", work).encode()


def forget_script() -> bytes:
    """The script that removes everything of ours."""
    return _SCRIPT.replace("WORK", _FORGET).encode()


def start_program(channel: Channel, program: bytes, own_python: bool = True) -> None:
    """Start a program in a channel to ``REMOTE_COMMAND``; it is sent if the device does not have it.

    Raises:
        EdgeSqueezeError: what the channel raises when something fails.
    """
    channel.send(run_script(program, own_python), START_SECONDS)
    try:
        answer = channel.answer(START_SECONDS)
    except DeviceError:
        # The loader cannot fail before its first answer: Python itself did.
        if channel.told_status is None or channel.told_status > MAX_STATUS:
            raise
        raise channel.fault({"fault": "broken-python", "message": last_line(channel.said)}) from None
    if answer.get("send"):
        channel.send(b"%d\n" % len(program) + program, START_SECONDS)
