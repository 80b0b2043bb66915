import signal
import subprocess
import sys

import pytest

from runtime_tests.support.processes import wait_until_dead


def test_a_process_that_was_killed_is_waited_for():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as process:
        with pytest.raises(TimeoutError, match=str(process.pid)):
            wait_until_dead([process.pid], seconds=0.05)
        process.send_signal(signal.SIGKILL)
        # Dead, although nobody has asked for its exit status.
        wait_until_dead([process.pid])
    wait_until_dead([process.pid])
