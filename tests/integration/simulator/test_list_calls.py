"""The list of calls: every filter, newest first, in pages that hold still."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.wire import TO, TWIML, Wire


def place(client: Client, to: str = TO, from_: str = "+15005559000") -> str:
    sid: str = client.calls.create(to=to, from_=from_, twiml=TWIML).sid
    return sid


def test_the_newest_call_comes_first(client: Client) -> None:
    sids = [place(client) for _ in range(3)]

    assert [call.sid for call in client.calls.list()] == sids[::-1]


def test_the_sdk_pages_through_all_calls(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sids = [place(client) for _ in range(7)]

    assert [call.sid for call in client.calls.list(page_size=3)] == sids[::-1]
    assert [request.operation for request in twilio_simulator.requests].count("list") == 3


def test_filters_go_along_from_page_to_page(client: Client) -> None:
    wanted = [place(client, "+15005551000") for _ in range(2)]
    place(client)
    wanted.append(place(client, "+15005551000"))

    found = client.calls.list(to="+15005551000", page_size=1)

    assert [call.sid for call in found] == wanted[::-1]


def test_a_page_says_where_it_stands(wire: Wire) -> None:
    sids = [wire.create().json()["sid"] for _ in range(5)]

    first = wire.get("/Calls.json", params={"PageSize": "2"}).json()
    second = wire.session.get(wire.simulator.url + first["next_page_uri"], timeout=10).json()
    third = wire.session.get(wire.simulator.url + second["next_page_uri"], timeout=10).json()
    back = wire.session.get(wire.simulator.url + third["previous_page_uri"], timeout=10).json()

    assert [[call["sid"] for call in page["calls"]] for page in (first, second, third, back)] == [
        [sids[4], sids[3]],
        [sids[2], sids[1]],
        [sids[0]],
        [sids[2], sids[1]],
    ]
    assert (first["page"], first["page_size"], first["start"], first["end"]) == (0, 2, 0, 1)
    assert (third["page"], third["page_size"], third["start"], third["end"]) == (2, 2, 4, 4)
    assert (first["previous_page_uri"], third["next_page_uri"]) == (None, None)
    assert first["first_page_uri"] == f"{wire.root}/Calls.json?PageSize=2&Page=0"


def test_a_new_call_does_not_move_the_next_page(wire: Wire) -> None:
    sids = [wire.create().json()["sid"] for _ in range(4)]
    first = wire.get("/Calls.json", params={"PageSize": "2"}).json()
    wire.create()

    second = wire.session.get(wire.simulator.url + first["next_page_uri"], timeout=10).json()

    assert [call["sid"] for call in second["calls"]] == [sids[1], sids[0]]


def test_an_empty_list_is_one_empty_page(wire: Wire) -> None:
    page = wire.get("/Calls.json").json()

    assert (page["calls"], page["page_size"], page["next_page_uri"]) == ([], 50, None)


def test_calls_are_found_by_from(client: Client, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.own("+14155551234")
    place(client)
    wanted = place(client, from_="+14155551234")

    assert [call.sid for call in client.calls.list(from_="+14155551234")] == [wanted]


def test_calls_are_found_by_status(client: Client, twilio_simulator: TwilioSimulator) -> None:
    busy = place(client, "+15005551100")
    twilio_simulator.skip(60)
    waiting = place(client, "+15005551105")

    assert [call.sid for call in client.calls.list(status="busy")] == [busy]
    assert [call.sid for call in client.calls.list(status="queued")] == [waiting]
    assert client.calls.list(status="failed") == []


def test_no_call_has_a_parent(client: Client) -> None:
    parent = place(client)

    assert client.calls.list(parent_call_sid=parent) == []


@pytest.mark.parametrize(
    ("filters", "is_found"),
    [
        ({"start_time": timedelta(0)}, True),
        ({"start_time": timedelta(days=-1)}, False),
        ({"start_time_after": timedelta(0)}, True),
        ({"start_time_after": timedelta(days=1)}, False),
        ({"start_time_before": timedelta(days=1)}, True),
        ({"start_time_before": timedelta(0)}, False),
        ({"end_time": timedelta(0)}, True),
        ({"end_time": timedelta(days=1)}, False),
        ({"end_time_after": timedelta(days=-1)}, True),
        ({"end_time_after": timedelta(days=1)}, False),
        ({"end_time_before": timedelta(days=1)}, True),
        ({"end_time_before": timedelta(days=-1)}, False),
    ],
)
def test_calls_are_found_by_the_day_they_started_or_ended(
    client: Client, twilio_simulator: TwilioSimulator, filters: dict[str, timedelta], is_found: bool
) -> None:
    sid = place(client)
    twilio_simulator.skip(60)
    ended = client.calls(sid).fetch().end_time
    days = {
        name: datetime.combine(ended, datetime.min.time(), timezone.utc) + by for name, by in filters.items()
    }

    assert [call.sid for call in client.calls.list(**days)] == [sid] * is_found


def test_a_call_still_queued_has_not_started(client: Client) -> None:
    place(client, "+15005551105")

    assert client.calls.list(start_time_after=datetime(2020, 1, 1, tzinfo=timezone.utc)) == []


def test_a_plain_date_is_understood(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    wire.create()
    twilio_simulator.skip(60)

    assert len(wire.get("/Calls.json", params={"StartTime>": "2020-01-01"}).json()["calls"]) == 1
    assert len(wire.get("/Calls.json", params={"EndTime<": "2020-01-01"}).json()["calls"]) == 0
