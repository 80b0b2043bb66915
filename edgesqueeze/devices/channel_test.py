import sys
import threading
import time

import pytest

from edgesqueeze.devices import channel
from edgesqueeze.devices.channel import Channel, end_channels
from edgesqueeze.errors import DeviceError

WAIT_SECONDS = 300
"""For what is bound to come, on a machine that has much else to do."""


def start(code):
    return Channel(
        [sys.executable, "-c", code],
        lambda status, said: DeviceError(f"lost {status}", got=said),
        lambda fault: DeviceError(f"fault {fault['fault']}"),
    )


def answer_to(code, timeout=WAIT_SECONDS):
    with start(code) as running:
        return running.answer(timeout)


def test_what_else_is_printed_is_skipped():
    code = "print('Welcome!\\n{}\\n'); print('prompt> @edgesqueeze@ {\"a\": 1}')"
    assert answer_to(code) == {"a": 1}


@pytest.mark.parametrize("text", ["nonsense", "[1]", "3", "{", "[" * 100_000])
def test_answers_that_make_no_sense(text):
    with pytest.raises(DeviceError, match="makes no sense"):
        answer_to(f"print('@edgesqueeze@ {text}')")


def test_a_fault():
    with pytest.raises(DeviceError, match="fault x"):
        answer_to('print(\'@edgesqueeze@ {"fault": "x"}\')')


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("print('@edgesqueeze@ {\"status\": 139}')", 139),
    ],
)
def test_the_end_of_a_program_is_told(code, status):
    with start(f"import sys; sys.stderr.write('words'); sys.stderr.flush(); {code}") as channel:
        for _ in range(2):
            with pytest.raises(DeviceError, match=f"lost {status}") as caught:
                channel.answer(WAIT_SECONDS)
            assert caught.value.got == "words"


def test_a_program_that_says_nothing():
    with pytest.raises(DeviceError, match="lost None"):
        # It ends when it is closed, which comes after the answer.
        answer_to("import sys; sys.stdin.read()", 0.2)


@pytest.mark.parametrize("line", ["'no answer'", "'x' * 1_000_000"])
def test_a_program_that_talks_without_end(line, monkeypatch):
    """The time limit holds, and what nobody has read yet is bounded."""
    monkeypatch.setattr(channel, "MAX_LINE", 2_000_000)
    with start(f"while True: print({line})") as talker:
        with pytest.raises(DeviceError, match="lost None"):
            talker.answer(0.3)
        time.sleep(0.5)
        assert sum(len(talker._lines.get()) for _ in range(talker._lines.qsize())) < 4_000_000
        talker.kill()


def test_a_program_that_does_not_read():
    with start("import time; time.sleep(600)") as channel:
        with pytest.raises(DeviceError, match="lost None"):
            channel.send(b"x" * 1_000_000, 0.2)
        channel.kill()


def test_a_fault_is_told_even_while_we_write():
    code = 'import os; print(\'@edgesqueeze@ {"fault": "full"}\', flush=True); os.close(0)'
    with start(code) as channel, pytest.raises(DeviceError, match="fault full"):
        channel.send(b"x" * 10_000_000, WAIT_SECONDS)


def test_large_messages_pass_in_both_directions():
    code = (
        "import json, sys; m = json.loads(sys.stdin.buffer.readline()); b = sys.stdin.buffer.read(m['size']);"
        "print('@edgesqueeze@ ' + json.dumps({'n': len(b), 'text': 'y' * 5_000_000}))"
    )
    with start(code) as channel:
        channel.tell({"do": "x"}, b"z" * 3_000_000)
        answer = channel.answer(WAIT_SECONDS)
    assert (answer["n"], len(answer["text"])) == (3_000_000, 5_000_000)


def test_channels_of_a_thread_can_be_ended_from_outside():
    failed = []

    def work():
        with start("import sys; sys.stdin.read()") as channel:
            try:
                channel.answer(WAIT_SECONDS)
            except DeviceError as error:
                failed.append(error.problem)

    thread = threading.Thread(target=work)
    thread.start()
    with start("import time; time.sleep(0.5); print('@edgesqueeze@ {\"here\": 1}')") as other:
        while thread.is_alive():
            end_channels({thread.ident})
            thread.join(0.05)
        assert failed == ["lost 137"]
        assert other.answer(WAIT_SECONDS) == {"here": 1}
