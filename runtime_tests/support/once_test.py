import subprocess
import sys

from runtime_tests.support.once import alone

TRY = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


def test_one_process_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def other_gets_it(name):
        (path,) = tmp_path.rglob(name)
        done = subprocess.run([sys.executable, "-c", TRY, str(path)], capture_output=True, text=True)
        assert done.returncode == 0 or "BlockingIOError" in done.stderr
        return done.returncode == 0

    with alone("thing"):
        with alone("another"):
            assert not other_gets_it("another")
        assert other_gets_it("another")
        assert not other_gets_it("thing")
    assert other_gets_it("thing")
