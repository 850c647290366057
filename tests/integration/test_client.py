"""The client and the simulator understand each other: every method, every state of a call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from airflow_provider_twiliocall import __version__
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.twilio.call import CallStatus
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from airflow_provider_twiliocall.twilio.regions import api_url
from tests.support.virtual_time import VirtualTime

QUEUES_FOREVER = "+15005551105"
TALKS_LONG = "+15005551003"
RINGS_LONG = "+15551230009"
UNKNOWN_SID = "CA" + "f" * 32


@pytest.fixture
def client(twilio_simulator: TwilioSimulator) -> Iterator[TwilioClient]:
    client = TwilioClient(
        twilio_simulator.account_sid,
        twilio_simulator.auth_token,
        account_sid=twilio_simulator.account_sid,
        base_url=twilio_simulator.url,
        airflow_version="3.1.0",
    )
    yield client
    client.close()


@pytest.fixture
def clock(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    twilio_simulator.clock.speed = 1.0
    return VirtualTime(twilio_simulator).install(monkeypatch)


def params(twilio_simulator: TwilioSimulator, to: str = "+15005550006", **kwargs: Any) -> CreateCallParams:
    return CreateCallParams(to=to, from_=twilio_simulator.from_number, twiml="<Response/>", **kwargs)


# Create, get, list --------------------------------------------------------------------------------------------


def test_created_call_is_queued_and_can_be_fetched(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, QUEUES_FOREVER))
    assert call.status is CallStatus.QUEUED
    assert (call.to, call.from_) == (QUEUES_FOREVER, twilio_simulator.from_number)
    assert client.get_call(call.sid).sid == call.sid


def test_create_goes_to_the_account_the_parameters_name(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    subaccount = "AC" + "5" * 32
    with pytest.raises(TwilioRejectedError):
        client.create_call(params(twilio_simulator, account_sid=subaccount))
    assert twilio_simulator.requests[-1].path == f"/2010-04-01/Accounts/{subaccount}/Calls.json"


def test_create_carries_every_character_and_every_item_of_a_list(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    asked = params(
        twilio_simulator,
        status_callback="https://example.com/a?b=c&d=%20+é#f",
        status_callback_event=["ringing", "completed"],
        call_reason='Größe 10 % + 🎉 = a&b; "c"\nd',
    )
    client.create_call(asked)
    assert list(twilio_simulator.requests[-1].form) == asked.to_form()
    assert twilio_simulator.refused == []


def test_create_is_refused_with_twilios_code(client: TwilioClient, twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioRejectedError) as raised:
        client.create_call(params(twilio_simulator, "+15005550003"))
    assert (raised.value.code, raised.value.http_status) == (21215, 400)
    assert raised.value.request_id


def test_create_that_was_carried_out_before_the_connection_broke_is_ambiguous(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.inject(Fault(kind="drop", after=True))
    with pytest.raises(TwilioAmbiguousError):
        client.create_call(params(twilio_simulator))
    assert len(twilio_simulator.calls) == 1


def test_unknown_call_is_not_found(client: TwilioClient) -> None:
    with pytest.raises(TwilioNotFoundError) as raised:
        client.get_call(UNKNOWN_SID)
    assert raised.value.code == 20404


def test_list_pages_through_all_calls_newest_first(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    placed = [client.create_call(params(twilio_simulator, QUEUES_FOREVER)).sid for _ in range(5)]
    listed = [call.sid for call in client.list_calls(page_size=2)]
    assert listed == placed[::-1]
    assert [request.operation for request in twilio_simulator.requests[-3:]] == ["list"] * 3
    assert twilio_simulator.refused == []


def test_list_asks_for_a_page_only_when_it_is_read(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    for _ in range(3):
        client.create_call(params(twilio_simulator, QUEUES_FOREVER))
    next(client.list_calls(page_size=1))
    assert [request.operation for request in twilio_simulator.requests].count("list") == 1


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({"to": "+15551234567"}, ("To", "+15551234567")),
        ({"from_": "+15551234567"}, ("From", "+15551234567")),
        ({"parent_call_sid": UNKNOWN_SID}, ("ParentCallSid", UNKNOWN_SID)),
        ({"status": CallStatus.IN_PROGRESS}, ("Status", "in-progress")),
        ({"status": "busy"}, ("Status", "busy")),
        ({"start_time": date(2026, 1, 31)}, ("StartTime", "2026-01-31")),
        ({"start_time_before": "2026-01-31"}, ("StartTime<", "2026-01-31")),
        (
            {"start_time_after": datetime(2026, 1, 31, 2, tzinfo=timezone(timedelta(hours=2)))},
            ("StartTime>", "2026-01-31T00:00:00Z"),
        ),
        ({"end_time": date(2026, 1, 31)}, ("EndTime", "2026-01-31")),
        ({"end_time_before": date(2026, 1, 31)}, ("EndTime<", "2026-01-31")),
        ({"end_time_after": date(2026, 1, 31)}, ("EndTime>", "2026-01-31")),
    ],
)
def test_every_filter_goes_out_under_twilios_name(
    client: TwilioClient, twilio_simulator: TwilioSimulator, filters: Any, query: tuple[str, str]
) -> None:
    assert list(client.list_calls(**filters)) == []
    assert list(twilio_simulator.requests[-1].query) == [query, ("PageSize", "1000")]
    assert twilio_simulator.refused == []


def test_filters_select(client: TwilioClient, twilio_simulator: TwilioSimulator) -> None:
    client.create_call(params(twilio_simulator, QUEUES_FOREVER))
    busy = client.create_call(params(twilio_simulator, "+15005551100"))
    twilio_simulator.wait_for(busy.sid)
    assert [call.sid for call in client.list_calls(status="busy")] == [busy.sid]
    assert [call.sid for call in client.list_calls(to="+15005551100")] == [busy.sid]


# Ending a call ------------------------------------------------------------------------------------------------


def test_hanging_up_a_queued_call_cancels_it(client: TwilioClient, twilio_simulator: TwilioSimulator) -> None:
    call = client.create_call(params(twilio_simulator, QUEUES_FOREVER))
    assert client.hang_up(call.sid).status is CallStatus.CANCELED


@pytest.mark.parametrize("how", ["hang_up", "cancel_call"])
def test_ringing_call_is_canceled(client: TwilioClient, twilio_simulator: TwilioSimulator, how: str) -> None:
    twilio_simulator.script(RINGS_LONG, {"outcome": "human", "ring": 590})
    call = client.create_call(params(twilio_simulator, RINGS_LONG, timeout=600))
    twilio_simulator.wait_for(call.sid, "ringing")
    assert getattr(client, how)(call.sid).status is CallStatus.CANCELED


def test_hanging_up_a_conversation_completes_it(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, TALKS_LONG))
    twilio_simulator.wait_for(call.sid, "in-progress")
    assert client.hang_up(call.sid).status is CallStatus.COMPLETED


def test_canceling_leaves_a_conversation_alone(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, TALKS_LONG))
    twilio_simulator.wait_for(call.sid, "in-progress")
    assert client.cancel_call(call.sid).status is CallStatus.IN_PROGRESS


@pytest.mark.parametrize("how", ["hang_up", "cancel_call"])
def test_ending_a_finished_call_changes_nothing_and_is_no_error(
    client: TwilioClient, twilio_simulator: TwilioSimulator, how: str
) -> None:
    call = client.create_call(params(twilio_simulator, "+15005551100"))
    twilio_simulator.wait_for(call.sid)
    assert getattr(client, how)(call.sid).status is CallStatus.BUSY


@pytest.mark.parametrize("how", ["hang_up", "cancel_call"])
def test_a_stale_answer_about_a_call_that_is_over_is_asked_for_again(
    client: TwilioClient, twilio_simulator: TwilioSimulator, clock: VirtualTime, how: str
) -> None:
    call = client.create_call(params(twilio_simulator, TALKS_LONG))
    twilio_simulator.wait_for(call.sid, "in-progress")
    client.update_call(call.sid, status="completed")
    twilio_simulator.inject(Fault(kind="stale"))
    assert getattr(client, how)(call.sid).status is CallStatus.COMPLETED


def test_a_call_that_ends_between_the_two_steps_of_a_hang_up_and_is_shown_as_going_on_is_not_believed(
    client: TwilioClient, twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    call = client.create_call(params(twilio_simulator, TALKS_LONG))
    twilio_simulator.wait_for(call.sid, "in-progress")
    twilio_simulator.inject(Fault(kind="status", status=400, code=21220, operations={"update"}, times=None))
    with pytest.raises(TwilioUnreachableError, match="as in-progress, which it cannot be any more"):
        client.hang_up(call.sid)


@pytest.mark.parametrize("shown", ["queued", "ringing"])
@pytest.mark.parametrize("how", ["hang_up", "cancel_call"])
def test_an_answer_that_shows_a_call_as_it_was_before_its_cancellation_is_not_believed(
    client: TwilioClient, twilio_simulator: TwilioSimulator, how: str, shown: str
) -> None:
    call = client.create_call(params(twilio_simulator, QUEUES_FOREVER))
    client.update_call(call.sid, status="canceled")
    twilio_simulator.inject(
        Fault(
            kind="html",
            status=200,
            body=json.dumps({"sid": call.sid, "status": shown}),
            operations={"update"},
        )
    )
    assert getattr(client, how)(call.sid).status is CallStatus.CANCELED


def test_call_that_ends_between_the_two_steps_of_a_hang_up_is_no_error(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, "+15005551100"))
    twilio_simulator.wait_for(call.sid)
    in_progress = {"sid": call.sid, "status": "in-progress"}
    twilio_simulator.inject(
        Fault(kind="html", status=200, body=json.dumps(in_progress), operations={"update"})
    )
    assert client.hang_up(call.sid).status is CallStatus.BUSY
    assert [request.operation for request in twilio_simulator.requests[-3:]] == ["update", "update", "get"]


@pytest.mark.parametrize("how", ["hang_up", "cancel_call"])
@pytest.mark.parametrize("kind", [{"kind": "status", "status": 503}, {"kind": "drop"}], ids=str)
def test_transient_errors_do_not_leave_a_phone_ringing(
    client: TwilioClient,
    twilio_simulator: TwilioSimulator,
    clock: VirtualTime,
    how: str,
    kind: dict[str, Any],
) -> None:
    call = client.create_call(params(twilio_simulator, QUEUES_FOREVER))
    twilio_simulator.inject(Fault(**kind, operations={"update"}, times=2))
    assert getattr(client, how)(call.sid).status is CallStatus.CANCELED


def test_how_long_an_ending_is_tried_is_the_callers_to_say(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, QUEUES_FOREVER))
    twilio_simulator.inject(Fault(kind="status", status=503, operations={"update"}, times=None))
    with pytest.raises(TwilioAmbiguousError):
        client.hang_up(call.sid, patience=0)


@pytest.mark.parametrize("skipped", [0, 1], ids=["first-step", "second-step"])
def test_hang_up_that_is_refused_for_another_reason_says_so(
    client: TwilioClient, twilio_simulator: TwilioSimulator, skipped: int
) -> None:
    call = client.create_call(params(twilio_simulator, TALKS_LONG))
    twilio_simulator.wait_for(call.sid, "in-progress")
    twilio_simulator.inject(Fault(kind="status", status=401, code=20003, operations={"update"}, skip=skipped))
    with pytest.raises(TwilioRejectedError) as raised:
        client.hang_up(call.sid)
    assert raised.value.code == 20003


def test_hang_up_of_an_unknown_call_is_not_found(client: TwilioClient) -> None:
    with pytest.raises(TwilioNotFoundError):
        client.hang_up(UNKNOWN_SID, patience=0)


def test_update_sends_what_is_given_under_twilios_names(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, TALKS_LONG))
    twilio_simulator.wait_for(call.sid, "in-progress")
    client.update_call(
        call.sid,
        url="https://example.com/next",
        method="GET",
        fallback_url="https://example.com/fallback",
        fallback_method="POST",
        status_callback="https://example.com/status",
        status_callback_method="POST",
        time_limit=30,
    )
    assert list(twilio_simulator.requests[-1].form) == [
        ("Url", "https://example.com/next"),
        ("Method", "GET"),
        ("FallbackUrl", "https://example.com/fallback"),
        ("FallbackMethod", "POST"),
        ("StatusCallback", "https://example.com/status"),
        ("StatusCallbackMethod", "POST"),
        ("TimeLimit", "30"),
    ]
    assert twilio_simulator.refused == []


def test_update_of_a_finished_call_is_rejected(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, "+15005551100"))
    twilio_simulator.wait_for(call.sid)
    with pytest.raises(TwilioRejectedError) as raised:
        client.update_call(call.sid, twiml="<Response/>")
    assert raised.value.code == 21220


# What a call left behind --------------------------------------------------------------------------------------


def test_recordings_of_a_recorded_call(client: TwilioClient, twilio_simulator: TwilioSimulator) -> None:
    call = client.create_call(params(twilio_simulator, "+15005551001", record=True))
    twilio_simulator.wait_for(call.sid)
    (recording,) = client.recordings(call.sid)
    assert recording["sid"].startswith("RE")
    assert recording["call_sid"] == call.sid


def test_notifications_say_why_a_call_failed(client: TwilioClient, twilio_simulator: TwilioSimulator) -> None:
    call = client.create_call(params(twilio_simulator, "+15005551301"))
    twilio_simulator.wait_for(call.sid)
    (notification,) = client.notifications(call.sid)
    assert (notification["error_code"], notification["log"]) == ("13227", "0")


def test_events_of_a_call_without_webhooks_are_none(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    call = client.create_call(params(twilio_simulator, "+15005551100"))
    twilio_simulator.wait_for(call.sid)
    assert list(client.events(call.sid)) == []
    assert twilio_simulator.requests[-1].operation == "events"


def test_account_says_its_name_and_status(client: TwilioClient) -> None:
    account = client.account()
    assert (account["friendly_name"], account["status"], account["type"]) == (
        "Simulated account",
        "active",
        "Full",
    )


# Who asks, and whom -------------------------------------------------------------------------------------------


def test_api_key_places_calls_of_the_account(twilio_simulator: TwilioSimulator) -> None:
    client = TwilioClient(
        twilio_simulator.api_key_sid,
        twilio_simulator.api_key_secret,
        account_sid=twilio_simulator.account_sid,
        base_url=twilio_simulator.url,
    )
    assert client.create_call(params(twilio_simulator)).account_sid == twilio_simulator.account_sid


def test_wrong_token_is_rejected_with_advice(twilio_simulator: TwilioSimulator) -> None:
    sid = twilio_simulator.account_sid
    client = TwilioClient(sid, "wrong", account_sid=sid, base_url=twilio_simulator.url)
    with pytest.raises(TwilioRejectedError, match="credentials belong to one region"):
        client.account()


def test_user_agent_names_us_airflow_and_requests(
    client: TwilioClient, twilio_simulator: TwilioSimulator
) -> None:
    client.account()
    assert twilio_simulator.requests[-1].headers["user-agent"] == (
        f"airflow-provider-twiliocall/{__version__} apache-airflow/3.1.0 python-requests/{requests.__version__}"
    )


def test_repr_has_no_secret(client: TwilioClient, twilio_simulator: TwilioSimulator) -> None:
    assert twilio_simulator.auth_token not in repr(client)
    assert twilio_simulator.account_sid in repr(client)


@pytest.mark.parametrize(
    ("region", "edge", "url"),
    [
        (None, None, "https://api.twilio.com"),
        (None, "dublin", "https://api.dublin.us1.twilio.com"),
        ("ie1", "dublin", "https://api.dublin.ie1.twilio.com"),
    ],
)
def test_host_is_made_of_edge_and_region(region: str | None, edge: str | None, url: str) -> None:
    assert api_url(region=region, edge=edge) == url


def test_region_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="region='ie1' needs an edge"):
        api_url(region="ie1")


def test_every_request_has_a_timeout(client: TwilioClient, monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[Any] = []
    send = requests.adapters.HTTPAdapter.send

    def noting(self: Any, *args: Any, **kwargs: Any) -> requests.Response:
        timeouts.append(kwargs["timeout"])
        return send(self, *args, **kwargs)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", noting)
    client.account()
    list(client.list_calls())
    with pytest.raises(TwilioNotFoundError):
        client.update_call(UNKNOWN_SID, status="canceled")
    assert timeouts == [(5.0, 15.0)] * 3
