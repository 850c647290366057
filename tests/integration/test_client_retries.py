"""A create is sent once whatever happens to it; a read is sent again. Proven against a server on a socket."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from airflow_provider_twiliocall.twilio.time_limit import time_limit
from airflow_provider_twiliocall.twilio.transport import READ_RETRY, WRITE_RETRY
from tests.integration.scripted_server import (
    CLOSE_AFTER_READING,
    RESET_AFTER_READING,
    RESET_BEFORE_READING,
    SILENCE,
    Answer,
    ScriptedServer,
    answer,
    cut_short,
)

ACCOUNT = "AC" + "0" * 32
SID = "CA" + "0" * 32
QUEUED = {"sid": SID, "status": "queued", "to": "+15551234567"}
CREATED = answer(201, QUEUED)
FOUND = answer(200, QUEUED)
CALL = CreateCallParams(to="+15551234567", from_="+15557654321", twiml="<Response/>")
SUSPENDED = {"code": 20005, "message": "Account not active", "status": 403}

Serve = Callable[..., ScriptedServer]
Connect = Callable[..., TwilioClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda *script, **kwargs: stack.enter_context(ScriptedServer(*script, **kwargs))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make clients with the package's own two rules, that pause no longer than a Retry-After asks."""
    with ExitStack() as stack:

        def make(url: str, **kwargs: float) -> TwilioClient:
            client = TwilioClient(
                ACCOUNT,
                "token",
                account_sid=ACCOUNT,
                base_url=url,
                reads=READ_RETRY.new(backoff_factor=0, backoff_jitter=0),
                writes=WRITE_RETRY.new(backoff_factor=0, backoff_jitter=0),
                **kwargs,
            )
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else gets it, and not listened to."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


# A create -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answer(503, headers={"Retry-After": "1"}), id="503-with-retry-after"),
        pytest.param(answer(500), id="500"),
        pytest.param(answer(502, "<html>Bad gateway</html>"), id="502-html"),
        pytest.param(answer(504), id="504"),
        pytest.param(answer(408), id="408"),
        pytest.param(answer(413, headers={"Retry-After": "1"}), id="413-with-retry-after"),
        pytest.param(answer(404, "<html>Not here</html>"), id="404-html"),
        pytest.param(RESET_AFTER_READING, id="reset-after-reading"),
        pytest.param(RESET_BEFORE_READING, id="reset-before-reading"),
        pytest.param(CLOSE_AFTER_READING, id="closed-without-answer"),
        pytest.param(cut_short(201, QUEUED), id="truncated-body"),
        pytest.param(answer(201, '{"sid": "CA00'), id="truncated-json"),
        pytest.param(answer(200, "<html>Please log in</html>"), id="200-html"),
        pytest.param(answer(201, ["not", "an", "object"]), id="json-list"),
        pytest.param(answer(201, {"hello": "world"}), id="another-object"),
    ],
)
def test_create_is_sent_once_whatever_the_fault(serve: Serve, connect: Connect, fault: Answer) -> None:
    server = serve(fault, CREATED)
    with pytest.raises((TwilioAmbiguousError, TwilioRejectedError)):
        connect(server.url).create_call(CALL)
    assert server.connections == 1
    assert len(server.requests) == (0 if fault is RESET_BEFORE_READING else 1)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answer(503, headers={"Retry-After": "1"}), id="503-with-retry-after"),
        pytest.param(answer(500), id="500"),
        pytest.param(answer(502, "<html>Bad gateway</html>"), id="502-html"),
        pytest.param(RESET_AFTER_READING, id="reset-after-reading"),
        pytest.param(RESET_BEFORE_READING, id="reset-before-reading"),
        pytest.param(CLOSE_AFTER_READING, id="closed-without-answer"),
        pytest.param(cut_short(201, QUEUED), id="truncated-body"),
        pytest.param(answer(201, '{"sid": "CA00'), id="truncated-json"),
        pytest.param(answer(200, "<html>Please log in</html>"), id="200-html"),
    ],
)
def test_create_whose_fate_is_unknown_is_ambiguous(serve: Serve, connect: Connect, fault: Answer) -> None:
    server = serve(fault)
    with pytest.raises(TwilioAmbiguousError):
        connect(server.url).create_call(CALL)


def test_create_that_waits_too_long_for_its_answer_is_ambiguous_and_sent_once(
    serve: Serve, connect: Connect
) -> None:
    server = serve(SILENCE)
    with pytest.raises(TwilioAmbiguousError, match="Read timed out"):
        connect(server.url, read_timeout=0.2).create_call(CALL)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_create_follows_no_redirect(serve: Serve, connect: Connect, status: int) -> None:
    other = serve(CREATED)
    server = serve(answer(status, headers={"Location": f"{other.url}/elsewhere"}))
    with pytest.raises(TwilioRejectedError, match=f"redirects to 127.0.0.1:{other.port}.*connection's host"):
        connect(server.url).create_call(CALL)
    assert len(server.requests) == 1
    assert other.connections == 0


def test_throttled_create_goes_back_to_the_caller_with_the_pause_asked_for(
    serve: Serve, connect: Connect
) -> None:
    body = {"code": 20429, "message": "Too Many Requests", "status": 429}
    server = serve(answer(429, body, {"Retry-After": "7"}), CREATED)
    with pytest.raises(TwilioThrottledError) as raised:
        connect(server.url).create_call(CALL)
    assert raised.value.retry_after == 7
    assert raised.value.code == 20429
    assert len(server.requests) == 1


def test_pause_may_be_asked_for_as_a_date(serve: Serve, connect: Connect) -> None:
    in_a_minute = format_datetime(datetime.now(timezone.utc) + timedelta(minutes=1), usegmt=True)
    server = serve(answer(429, headers={"Retry-After": in_a_minute}))
    with pytest.raises(TwilioThrottledError) as raised:
        connect(server.url).create_call(CALL)
    assert raised.value.retry_after == pytest.approx(60, abs=5)


@pytest.mark.parametrize("code", [10004, 22005])
def test_create_that_twilio_has_no_room_for_is_throttled(serve: Serve, connect: Connect, code: int) -> None:
    server = serve(answer(400, {"code": code, "message": "No room", "status": 400}))
    with pytest.raises(TwilioThrottledError):
        connect(server.url).create_call(CALL)
    assert len(server.requests) == 1


def test_create_is_tried_three_times_where_no_connection_is_made(
    connect: Connect, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TwilioUnreachableError, match=f"No connection to 127.0.0.1:{closed_port}.*refused"):
        connect(f"http://127.0.0.1:{closed_port}").create_call(CALL)
    assert caplog.text.count("Retrying") == 2


def test_create_to_a_host_without_an_address_is_unreachable(connect: Connect) -> None:
    with pytest.raises(TwilioUnreachableError, match=r"No connection to api\.twilio\.invalid"):
        connect("http://api.twilio.invalid").create_call(CALL)


def test_rejection_carries_what_twilio_said(serve: Serve, connect: Connect) -> None:
    body = {"code": 21215, "message": "No permission to call +15551234567", "status": 400}
    server = serve(answer(400, body, {"Twilio-Request-Id": "RQ123"}))
    with pytest.raises(TwilioRejectedError) as raised:
        connect(server.url).create_call(CALL)
    assert str(raised.value) == (
        "Twilio refused the request: No permission to call +1*******4567 "
        "(code 21215, HTTP 400, request RQ123). "
        "Allow the callee's country in the Twilio console under Voice > Settings > Geo permissions."
    )


def test_update_that_breaks_off_is_ambiguous_and_sent_once(serve: Serve, connect: Connect) -> None:
    server = serve(RESET_AFTER_READING, FOUND)
    with pytest.raises(TwilioAmbiguousError):
        connect(server.url).update_call(SID, status="completed")
    assert len(server.requests) == 1


# A read -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answer(429), id="429"),
        pytest.param(answer(500), id="500"),
        pytest.param(answer(502), id="502"),
        pytest.param(answer(503), id="503"),
        pytest.param(answer(504), id="504"),
        pytest.param(answer(503, headers={"Retry-After": "soon"}), id="unreadable-retry-after"),
        pytest.param(RESET_AFTER_READING, id="reset-after-reading"),
        pytest.param(RESET_BEFORE_READING, id="reset-before-reading"),
        pytest.param(CLOSE_AFTER_READING, id="closed-without-answer"),
    ],
)
def test_read_is_sent_again_until_the_fault_passes(serve: Serve, connect: Connect, fault: Answer) -> None:
    server = serve(fault, fault, fault, fault, FOUND)
    assert connect(server.url).get_call(SID).sid == SID
    assert max(server.connections, len(server.requests)) == 5


def test_read_waits_as_long_as_retry_after_asks(serve: Serve, connect: Connect) -> None:
    server = serve(answer(429, headers={"Retry-After": "1"}), FOUND)
    connect(server.url).get_call(SID)
    first, second = server.requests
    assert 1 <= second.received_at - first.received_at < 5


def test_read_gives_up_after_five_attempts(serve: Serve, connect: Connect) -> None:
    server = serve(answer(503))
    with pytest.raises(TwilioUnreachableError) as raised:
        connect(server.url).get_call(SID)
    assert raised.value.http_status == 503
    assert len(server.requests) == 5


def test_read_that_stays_throttled_says_so_with_the_pause(serve: Serve, connect: Connect) -> None:
    server = serve(answer(429, headers={"Retry-After": "0"}))
    with pytest.raises(TwilioThrottledError) as raised:
        connect(server.url).get_call(SID)
    assert raised.value.retry_after == 0
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(RESET_AFTER_READING, "reset", id="reset"),
        pytest.param(cut_short(200, QUEUED), "IncompleteRead", id="truncated-body"),
        pytest.param(answer(200, '{"sid": "CA00'), "could not be read", id="truncated-json"),
        pytest.param(answer(200, "<html></html>"), r"could not be read \(text/html", id="html"),
    ],
)
def test_read_without_a_whole_answer_is_unreachable(
    serve: Serve, connect: Connect, fault: Answer, said: str
) -> None:
    server = serve(fault)
    with pytest.raises(TwilioUnreachableError, match=said):
        connect(server.url).get_call(SID)


def test_unreadable_list_is_unreachable(serve: Serve, connect: Connect) -> None:
    server = serve(answer(200, "<html></html>"))
    with pytest.raises(TwilioUnreachableError, match="could not be read"):
        list(connect(server.url).list_calls())


@pytest.mark.parametrize(
    "page", [{"calls": "none"}, {"calls": {"sid": SID}}, {"calls": [], "next_page_uri": 2}], ids=str
)
def test_page_that_is_no_list_is_unreachable(serve: Serve, connect: Connect, page: dict[str, object]) -> None:
    server = serve(answer(200, page))
    with pytest.raises(TwilioUnreachableError, match="A page of calls could not be read"):
        list(connect(server.url).list_calls())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"sid": SID, "to": "+15551234567", "answered_by": 7}, f"{SID}, fields answered_by, status"),
        ({"sid": "+15551234567", "status": "queued"}, "no SID, fields sid"),
        ("+15551234567", "no SID, fields none"),
        (None, "no SID, fields none"),
    ],
    ids=["no-status", "no-sid", "text", "null"],
)
def test_call_of_a_list_that_cannot_be_read_is_said_and_costs_no_other(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture, body: object, said: str
) -> None:
    other = "CA" + "1" * 32
    server = serve(answer(200, {"calls": [QUEUED, body, {"sid": other, "status": "busy"}]}))
    assert [call.sid for call in connect(server.url).list_calls()] == [SID, other]
    (record,) = [record for record in caplog.records if "left out" in record.message]
    assert record.levelname == "WARNING"
    assert record.message.endswith(said)
    assert "1234567" not in caplog.text


def test_read_that_waits_too_long_for_its_answer_is_tried_again_then_unreachable(
    serve: Serve, connect: Connect
) -> None:
    server = serve(SILENCE)
    with pytest.raises(TwilioUnreachableError, match="Read timed out"):
        connect(server.url, read_timeout=0.1).get_call(SID)
    assert len(server.requests) == 5


def test_read_of_what_is_not_there_is_not_found_and_not_repeated(serve: Serve, connect: Connect) -> None:
    server = serve(answer(404, {"code": 20404, "message": "Not found", "status": 404}))
    with pytest.raises(TwilioNotFoundError, match="Check the SID"):
        connect(server.url).get_call(SID)
    assert len(server.requests) == 1


def test_read_follows_no_redirect(serve: Serve, connect: Connect) -> None:
    server = serve(answer(301, headers={"Location": "/login"}), FOUND)
    with pytest.raises(TwilioRejectedError, match="redirects to nowhere"):
        connect(server.url).get_call(SID)
    assert len(server.requests) == 1


def test_fault_never_shows_the_numbers_asked_for(connect: Connect, closed_port: int) -> None:
    client = connect(f"http://127.0.0.1:{closed_port}")
    with pytest.raises(TwilioUnreachableError) as raised:
        list(client.list_calls(to="+15551234567"))
    assert "1234567" not in str(raised.value)


# The session --------------------------------------------------------------------------------------------------


def test_five_requests_take_one_connection(serve: Serve, connect: Connect) -> None:
    server = serve(FOUND)
    client = connect(server.url)
    sids = [client.get_call(SID).sid for _ in range(5)]
    assert len(sids) == len(server.requests) == 5
    assert server.connections == 1


def test_five_creates_take_one_connection(serve: Serve, connect: Connect) -> None:
    server = serve(CREATED)
    client = connect(server.url)
    sids = [client.create_call(CALL).sid for _ in range(5)]
    assert len(sids) == len(server.requests) == 5
    assert server.connections == 1


def test_create_on_a_connection_the_server_closed_meanwhile_takes_a_new_one(
    serve: Serve, connect: Connect
) -> None:
    server = serve(answer(201, QUEUED, {"Connection": "close"}), CREATED)
    client = connect(server.url)
    client.create_call(CALL)
    client.create_call(CALL)
    assert len(server.requests) == server.connections == 2


def test_password_beyond_latin_1_reaches_the_server(serve: Serve) -> None:
    server = serve(FOUND)
    TwilioClient(ACCOUNT, "pä–ss", account_sid=ACCOUNT, base_url=server.url).get_call(SID)
    assert server.requests[0].headers["authorization"].startswith("Basic ")


def test_base_url_may_have_a_path(serve: Serve, connect: Connect) -> None:
    server = serve(FOUND)
    connect(f"{server.url}/gateway/").get_call(SID)
    assert server.requests[0].target == f"/gateway/2010-04-01/Accounts/{ACCOUNT}/Calls/{SID}.json"


def test_next_page_on_another_host_is_refused(serve: Serve, connect: Connect) -> None:
    other = serve(answer(200, {"calls": []}))
    server = serve(answer(200, {"calls": [QUEUED], "next_page_uri": f"{other.url}/page"}))
    with pytest.raises(TwilioRejectedError, match="another host"):
        list(connect(server.url).list_calls())
    assert other.connections == 0


# What is logged -----------------------------------------------------------------------------------------------

FULL_NUMBER = re.compile(r"(\+|%2B)1555\d{7}")


def test_no_number_of_ours_is_in_what_urllib3_logs(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(answer(503), RESET_AFTER_READING, answer(200, {"calls": [], "next_page_uri": None}))
    with caplog.at_level(logging.DEBUG, "urllib3"):
        list(connect(server.url).list_calls(to="+15551234567", from_="+15557654321"))

    assert "+1555" in unquote(server.requests[0].target)
    assert {"urllib3.connectionpool", "urllib3.util.retry"} <= {record.name for record in caplog.records}
    assert "Retry: " in caplog.text
    assert "Retrying" in caplog.text
    assert "4567" in caplog.text
    assert not FULL_NUMBER.search(caplog.text)


def test_what_other_libraries_log_passes_untouched_also_while_a_request_of_ours_is_under_way(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    others = serve(answer(200, {}))

    def meanwhile(wire: socket.socket, stopped: threading.Event) -> None:
        requests.get(f"{others.url}/during?to=%2B15550000001", timeout=10)
        FOUND.act(wire, stopped)

    server = serve(Answer(meanwhile, closes=False))
    with caplog.at_level(logging.DEBUG, "urllib3"):
        connect(server.url).get_call(SID)
        requests.get(f"{others.url}/after?to=%2B15550000002", timeout=10)

    during, after = (record for record in caplog.records if "to=%2B" in record.getMessage())
    assert "/during?to=%2B15550000001" in during.getMessage()
    assert "/after?to=%2B15550000002" in after.getMessage()
    assert during.args and after.args


# Proxies ------------------------------------------------------------------------------------------------------


def proxy_url(server: ScriptedServer) -> str:
    return f"http://user:geheim@127.0.0.1:{server.port}"


def test_proxy_of_the_environment_is_used(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(CREATED)
    monkeypatch.setenv("HTTP_PROXY", proxy_url(proxy))
    connect("http://api.twilio.invalid").create_call(CALL)
    assert proxy.requests[0].target.startswith("http://api.twilio.invalid/2010-04-01/")
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")


def test_no_proxy_is_honoured(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(CREATED), serve(CREATED)
    monkeypatch.setenv("HTTP_PROXY", proxy_url(proxy))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    connect(server.url).create_call(CALL)
    assert (len(proxy.requests), len(server.requests)) == (0, 1)


@pytest.mark.parametrize(
    ("variable", "url"),
    [("HTTP_PROXY", "http://api.twilio.invalid"), ("HTTPS_PROXY", "https://api.twilio.invalid")],
)
def test_proxy_that_asks_for_a_login_is_named_without_its_password(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    proxy = serve(answer(407, headers={"Proxy-Authenticate": "Basic"}))
    monkeypatch.setenv(variable, proxy_url(proxy))
    with pytest.raises(TwilioUnreachableError) as raised:
        connect(url).create_call(CALL)
    assert f"The proxy 127.0.0.1:{proxy.port} asks for a login (407)" in str(raised.value)
    assert "geheim" not in str(raised.value)
    assert len(proxy.requests) == 1


def test_proxy_written_without_a_scheme_is_refused_without_its_password(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "user:geheim@127.0.0.1:3128")
    with pytest.raises(TwilioUnreachableError, match="proxy URL") as raised:
        connect("http://api.twilio.invalid").create_call(CALL)
    assert "geheim" not in str(raised.value)


def test_proxy_that_cannot_reach_twilio_is_named(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(answer(502))
    monkeypatch.setenv("HTTPS_PROXY", proxy_url(proxy))
    with pytest.raises(TwilioUnreachableError, match=f"proxy 127.0.0.1:{proxy.port} could not be used.*502"):
        connect("https://api.twilio.invalid").create_call(CALL)


def test_proxy_that_refuses_connections_is_named(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    with pytest.raises(TwilioUnreachableError, match=f"proxy 127.0.0.1:{closed_port} could not be used"):
        connect("http://api.twilio.invalid").create_call(CALL)


def test_proxy_that_is_no_url_is_unreachable(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:port")
    with pytest.raises(TwilioUnreachableError, match="Check network, host and proxy"):
        connect("http://api.twilio.invalid").create_call(CALL)


@pytest.mark.parametrize("fault", [RESET_AFTER_READING, CLOSE_AFTER_READING], ids=["reset", "closed"])
def test_create_that_breaks_off_behind_a_proxy_is_ambiguous_and_sent_once(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, fault: Answer
) -> None:
    proxy = serve(fault, CREATED)
    monkeypatch.setenv("HTTP_PROXY", proxy_url(proxy))
    with pytest.raises(TwilioAmbiguousError):
        connect("http://api.twilio.invalid").create_call(CALL)
    assert len(proxy.requests) == 1


def test_407_in_a_sid_is_not_taken_for_the_proxy_s(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    with pytest.raises(TwilioUnreachableError) as raised:
        connect("http://api.twilio.invalid").get_call("CA407" + "0" * 29)
    assert "asks for a login" not in str(raised.value)


# TLS ----------------------------------------------------------------------------------------------------------


def make_certificate(folder: Path, *, address: str = "127.0.0.1", days: int = 0) -> Path:
    """A file with a self-signed certificate and its key; valid for the two days around now, or other days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    middle = datetime.now(timezone.utc) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(middle - timedelta(days=1))
        .not_valid_after(middle + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    return server_context(certificate)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"address": "127.0.0.2"}, r"shown for 127\.0\.0\.1:\d+ is that of another host.*or region and edge"),
        ({"days": -10}, r"certificate of 127\.0\.0\.1:\d+ has expired\. Check the clock of this machine"),
        ({"days": 10}, r"certificate of 127\.0\.0\.1:\d+ is not valid yet\. Check the clock of this machine"),
    ],
    ids=["of-another-host", "expired", "not-yet-valid"],
)
def test_a_certificate_that_does_not_hold_is_refused_with_what_is_wrong_with_it(
    serve: Serve,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: dict[str, Any],
    problem: str,
) -> None:
    path = make_certificate(tmp_path, **made)
    server = serve(CREATED, tls=server_context(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with pytest.raises(TwilioUnreachableError, match=problem) as raised:
        connect(server.url).create_call(CALL)
    assert "proxy" not in str(raised.value)
    assert server.requests == []


def test_https_to_a_server_that_does_not_speak_tls_is_named(serve: Serve, connect: Connect) -> None:
    def answer_in_clear(wire: socket.socket, stopped: threading.Event) -> None:
        wire.recv(10_000)
        wire.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = serve(Answer(answer_in_clear, unread=True))
    with pytest.raises(
        TwilioUnreachableError, match=r"does not speak TLS: if it is a simulator, write http://"
    ):
        connect(server.url.replace("http://", "https://")).create_call(CALL)


@pytest.mark.parametrize("fault", [RESET_BEFORE_READING, Answer(CLOSE_AFTER_READING.act, unread=True)])
def test_a_connection_that_breaks_off_before_tls_has_begun_was_never_sent_anything(
    serve: Serve, connect: Connect, fault: Answer
) -> None:
    server = serve(fault)
    with pytest.raises(TwilioUnreachableError, match=r"No connection to 127\.0\.0\.1"):
        connect(server.url.replace("http://", "https://")).create_call(CALL)


def test_garbage_in_place_of_tls_after_a_create_is_ambiguous(
    serve: Serve, connect: Connect, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_in_clear(wire: socket.socket, stopped: threading.Event) -> None:
        with socket.socket(fileno=os.dup(wire.fileno())) as plain:
            plain.sendall(b"HTTP/1.1 201 Created\r\n\r\n")

    server = serve(Answer(answer_in_clear), tls=tls)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(TwilioAmbiguousError):
        connect(server.url).create_call(CALL)
    assert len(server.requests) == 1


def test_certificate_authority_of_the_environment_is_trusted(
    serve: Serve,
    connect: Connect,
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(CREATED, tls=tls)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert connect(server.url).create_call(CALL).sid == SID


def test_certificate_nobody_vouches_for_is_refused_and_the_bundle_named(
    serve: Serve, connect: Connect, tls: ssl.SSLContext
) -> None:
    server = serve(CREATED, tls=tls)
    with pytest.raises(
        TwilioUnreachableError,
        match=r"certificate of 127\.0\.0\.1.*could not be verified.*REQUESTS_CA_BUNDLE",
    ):
        connect(server.url).create_call(CALL)
    assert server.requests == []


def test_bundle_that_is_not_there_is_named(
    serve: Serve, connect: Connect, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(CREATED, tls=tls)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(TwilioUnreachableError, match=r"missing\.pem.*Check REQUESTS_CA_BUNDLE"):
        connect(server.url).create_call(CALL)


def test_bundle_that_holds_no_certificate_is_named(
    serve: Serve, connect: Connect, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("no certificate")
    server = serve(CREATED, tls=tls)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(TwilioUnreachableError, match="Check REQUESTS_CA_BUNDLE"):
        connect(server.url).create_call(CALL)


def test_suspended_account_is_rejected_with_advice(serve: Serve, connect: Connect) -> None:
    server = serve(answer(403, SUSPENDED))
    with pytest.raises(TwilioRejectedError, match="suspended or closed"):
        connect(server.url).create_call(CALL)


# A time limit


@pytest.mark.parametrize("no_answer", [SILENCE, answer(503, {}, headers={"Retry-After": "30"})])
def test_a_read_ends_when_nobody_waits_for_it_any_more(
    serve: Serve, connect: Connect, no_answer: Answer
) -> None:
    server = serve(*[no_answer] * 5)
    started = time.monotonic()
    with time_limit(0.2), pytest.raises(TwilioUnreachableError):
        connect(server.url, read_timeout=20.0).get_call(SID)
    assert time.monotonic() - started < 15


def test_a_create_that_nobody_waits_for_any_more_is_ambiguous_and_is_not_sent_again(
    serve: Serve, connect: Connect
) -> None:
    server = serve(SILENCE, CREATED)
    with time_limit(0.2), pytest.raises(TwilioAmbiguousError):
        connect(server.url, read_timeout=20.0).create_call(CALL)
    assert len(server.requests) == 1


def test_after_the_time_limit_requests_take_what_they_need(serve: Serve, connect: Connect) -> None:
    server = serve(FOUND)
    with time_limit(0.0):
        pass
    assert connect(server.url).get_call(SID).sid == SID
