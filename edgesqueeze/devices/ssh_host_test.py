import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgesqueeze.devices.ssh_host import parse_host
from edgesqueeze.errors import UsageError

GOOD = [
    "pi",
    "pi@raspberrypi.local",
    "board-2",
    "user.name@192.168.0.7",
    "fe80::1%eth0",
    "pi@::1",
    "büro",
    "ssh://pi@board:2222",
    "ssh://board",
    "DOMAIN.user@corp@jump",
]
BAD = ["", "-oProxyCommand=x", "a b", "a\n", "pi@-x", "@", "pi@", "a;b", "$(x)", "`x`", "a'b", "a|b", "a\0b"]
BAD += [
    "ssh://",
    "ssh://-x",
    "ssh://board:0",
    "ssh://board:70000",
    "ssh://pi@board:22/etc",
    "ssh://a:b@c",
    "a" * 256,
]
BAD += ["{a,b}", "a*", "~", "a/b", "%h", "!x", "#", '"', "a\\b", "<a", "pi@a&b"]


@pytest.mark.parametrize("text", GOOD)
def test_names_of_hosts(text):
    assert parse_host(text).arguments[-2:] == ["--", text]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ssh://pi@[fe80::1%eth0]:2222/", ["-p", "2222", "--", "pi@fe80::1%eth0"]),
        ("ssh://[::1]", ["--", "::1"]),
    ],
)
def test_ipv6_addresses_with_a_port(text, words):
    """As ssh takes them."""
    host = parse_host(text)
    assert host.arguments[-len(words) :] == words
    assert host.by_hand.split() == ["ssh", *(word for word in words if word != "--")]


@pytest.mark.parametrize("text", ["pi@raspberrypi.local:2222", "cafe:22", "pi@a:22"])
def test_a_port_without_ssh_in_front(text):
    with pytest.raises(UsageError) as caught:
        parse_host(text)
    assert caught.value.hint == f"with a port it is ssh://{text}"


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_name_is_refused(text):
    with pytest.raises(UsageError, match="not the name of a host"):
        parse_host(text)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.text() | st.from_regex(r"[-\w@.:/%$ ;]+", fullmatch=True))
@example("-oProxyCommand=touch /tmp/x")
@example("pi@host\n-oProxyCommand=x")
def test_no_text_becomes_an_option_or_reaches_a_shell(text):
    try:
        host = parse_host(text)
    except UsageError:
        return
    arguments = host.arguments
    assert arguments[-2] == "--"
    assert arguments[-1] == text or "[" in text
    assert not text.startswith("-") and not arguments[-1].startswith("-")
    name = text.removeprefix("ssh://")
    assert re.fullmatch(r"[\w.+@:%\[\]/-]+", name)
    # Both halves go to ProxyCommand and Match exec, as %r and %h.
    assert not any(part.startswith("-") for part in name.split("@"))


def test_keys_are_verified_and_nothing_asks():
    arguments = parse_host("pi").arguments
    assert "StrictHostKeyChecking=yes" in arguments
    assert "BatchMode=yes" in arguments
    assert arguments[0] == "ssh"
    assert "-F" not in arguments


def test_options_of_a_call_win():
    command = parse_host("pi").command((("LogLevel", "DEBUG"),), "exec sh")
    assert command.index("LogLevel=DEBUG") < command.index("LogLevel=ERROR")
    assert command[-3:] == ["--", "pi", "exec sh"]


def test_a_configuration_file(tmp_path):
    config = tmp_path / "-my config"
    config.write_text("Host pi\n")
    host = parse_host("pi", config)
    assert host.arguments[1:3] == ["-F", str(config)]
    assert host.by_hand == f"ssh -F '{config}' pi"
    with pytest.raises(UsageError, match="there is no file"):
        parse_host("pi", Path("/nonexistent/config"))
