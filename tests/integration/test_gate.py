"""The gate of the end-to-end tests, between a session of requests and a server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests

from tests.integration.scripted_server import ScriptedServer, answer
from tests.support.gate import Gate, creates_call_to

ANN, BOB = "+15005550001", "+15005550002"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(answer(200, {"answered": True})) as server:
        yield server


@pytest.fixture
def gate(server: ScriptedServer) -> Iterator[Gate]:
    with Gate(server.url) as gate:
        yield gate


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def call(session: requests.Session, gate: Gate, number: str) -> requests.Response:
    return session.post(f"{gate.url}/Calls.json", data={"To": number, "From": "+1"}, timeout=10)


def test_a_request_and_its_answer_pass_unchanged(
    gate: Gate, server: ScriptedServer, session: requests.Session
) -> None:
    assert call(session, gate, ANN).json() == {"answered": True}
    (request,) = server.requests
    assert (request.method, request.target, request.body) == (
        "POST",
        "/Calls.json",
        "To=%2B15005550001&From=%2B1",
    )


def test_requests_on_one_connection_reach_the_server_on_one(
    gate: Gate, server: ScriptedServer, session: requests.Session
) -> None:
    for number in (ANN, BOB, ANN):
        call(session, gate, number)

    assert [request.connection for request in server.requests] == [1, 1, 1]


def test_a_request_held_and_released_is_answered(
    gate: Gate, server: ScriptedServer, session: requests.Session, elsewhere: ThreadPoolExecutor
) -> None:
    call(session, gate, BOB)
    hold = gate.hold(creates_call_to(ANN))
    answered: Future[requests.Response] = elsewhere.submit(call, session, gate, ANN)
    (held,) = hold.wait_for_held(limit=10)

    assert held.form["To"] == ANN
    assert len(server.requests) == 1
    hold.release()
    assert answered.result(10).ok
    assert len(server.requests) == 2


def test_a_request_held_and_dropped_never_reaches_the_server(
    gate: Gate, server: ScriptedServer, session: requests.Session, elsewhere: ThreadPoolExecutor
) -> None:
    with gate.hold() as hold:
        answered = elsewhere.submit(call, session, gate, ANN)
        hold.wait_for_held(limit=10)

    with pytest.raises(requests.ConnectionError):
        answered.result(10)
    assert server.requests == []


def test_a_request_whose_client_has_gone_is_not_sent_on(
    gate: Gate, server: ScriptedServer, session: requests.Session
) -> None:
    hold = gate.hold(creates_call_to(ANN))
    with pytest.raises(requests.ReadTimeout):
        session.post(f"{gate.url}/Calls.json", data={"To": ANN}, timeout=0.1)
    hold.wait_for_held(limit=10)
    session.close()

    hold.release()

    assert call(session, gate, BOB).ok
    assert [request.body for request in server.requests] == ["To=%2B15005550002&From=%2B1"]


def test_a_hold_lets_others_pass(gate: Gate, session: requests.Session) -> None:
    with gate.hold(creates_call_to(ANN)) as hold:
        assert call(session, gate, BOB).ok
        assert hold.held == []


def test_nobody_held_is_told_in_time(gate: Gate) -> None:
    with gate.hold() as hold, pytest.raises(TimeoutError, match="0 requests"):
        hold.wait_for_held(limit=0.01)


def test_a_closed_gate_refuses_and_opens_again(
    gate: Gate, server: ScriptedServer, session: requests.Session
) -> None:
    call(session, gate, ANN)

    gate.refuse()
    with pytest.raises(requests.ConnectionError, match="refused"):
        call(session, gate, ANN)
    gate.accept()

    assert call(session, gate, BOB).ok
    assert len(server.requests) == 2
