"""The guard in tests/conftest.py that keeps every test on this machine."""

from __future__ import annotations

import socket

import pytest

pytest_plugins = ["pytester"]

# Reserved for documentation (RFC 5737): nobody is there.
ELSEWHERE = "192.0.2.1"


@pytest.fixture
def suite(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> pytest.Pytester:
    """Another test run under the same conftest.py."""
    conftest = request.config.rootpath / "tests" / "conftest.py"
    pytester.makeini("[pytest]\nmarkers =\n    allow_network: may connect to other machines")
    pytester.makeconftest(conftest.read_text())
    return pytester


def test_connecting_to_another_machine_fails_the_test_even_where_the_error_is_swallowed(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(
        f"""
        import contextlib, socket

        def test_swallows_every_error():
            with contextlib.suppress(Exception):
                socket.create_connection(("{ELSEWHERE}", 80), timeout=1)
        """
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*reached for {ELSEWHERE}: tests stay on this machine*"])


def test_looking_up_another_machine_fails_the_test(suite: pytest.Pytester) -> None:
    suite.makepyfile("import socket\n\ndef test_looks_up():\n    socket.getaddrinfo('example.com', 80)")
    suite.runpytest_subprocess().assert_outcomes(failed=1, errors=1)


def test_marked_test_may_leave_this_machine(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        f"""
        import socket
        import pytest

        @pytest.mark.allow_network
        def test_leaves():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.connect(("{ELSEWHERE}", 9))
        """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_invalid_names_do_not_resolve() -> None:
    with pytest.raises(socket.gaierror):
        socket.create_connection(("nobody.invalid", 80), timeout=5)
