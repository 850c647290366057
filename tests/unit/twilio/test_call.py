"""A Call says what Twilio said, typed, and hides the numbers where it is kept."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import Any

import pendulum
import pytest
from pydantic import ValidationError

from airflow_provider_twiliocall.twilio.call import AnsweredBy, Call, CallStatus, is_call_sid

SID = "CA" + "0123456789abcdef" * 2
ACCOUNT = "AC" + "0" * 32

BODY: dict[str, Any] = {
    "sid": SID,
    "account_sid": ACCOUNT,
    "parent_call_sid": None,
    "phone_number_sid": "PN" + "0" * 32,
    "group_sid": None,
    "trunk_sid": "",
    "date_created": "Fri, 18 Oct 2019 17:00:00 +0000",
    "date_updated": "Fri, 18 Oct 2019 17:01:10 +0000",
    "start_time": "Fri, 18 Oct 2019 17:00:03 +0000",
    "end_time": "Fri, 18 Oct 2019 17:01:10 +0000",
    "to": "+15558675310",
    "to_formatted": "(555) 867-5310",
    "from": "+15017122661",
    "from_formatted": "(501) 712-2661",
    "status": "completed",
    "duration": "67",
    "price": "-0.03000",
    "price_unit": "USD",
    "direction": "outbound-api",
    "answered_by": "machine_end_beep",
    "api_version": "2010-04-01",
    "forwarded_from": "+15141234567",
    "caller_name": "",
    "queue_time": "1500",
    "stir_verstat": None,
    "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{SID}.json",
    "subresource_uris": {"recordings": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{SID}/Recordings.json"},
}


def call(**changes: Any) -> Call:
    return Call.model_validate(BODY | changes)


# Types --------------------------------------------------------------------------------------------------------


def test_duration_is_seconds_and_queue_time_milliseconds() -> None:
    assert (call().duration, call().queue_time) == (67, 1500)


def test_price_is_an_exact_decimal() -> None:
    assert call().price == Decimal("-0.03000")
    assert str(call().price) == "-0.03000"


def test_times_are_pendulum_in_utc() -> None:
    start = call().start_time
    assert isinstance(start, pendulum.DateTime)
    assert start == pendulum.datetime(2019, 10, 18, 17, 0, 3, tz="UTC")
    assert start.timezone_name == "UTC"


@pytest.mark.parametrize("time_and_zone", ["19:00:03 +0200", "12:30:03 -0430", "17:00:03 -0000", "17:00:03"])
def test_times_of_another_zone_or_of_none_are_instants_in_utc(time_and_zone: str) -> None:
    start = call(start_time=f"Fri, 18 Oct 2019 {time_and_zone}").start_time
    assert isinstance(start, pendulum.DateTime)
    assert start == call().start_time
    assert start.timezone_name == "UTC"


@pytest.mark.parametrize(
    ("changes", "answered_at"),
    [
        ({"duration": "60"}, "2019-10-18T17:00:10Z"),
        ({"duration": "0"}, "2019-10-18T17:01:10Z"),
        # A simulator that runs faster than time: not before it was dialled.
        ({"duration": "600"}, "2019-10-18T17:00:03Z"),
        ({"duration": "60", "start_time": None}, "2019-10-18T17:00:10Z"),
        ({"duration": None}, None),
        ({"duration": "9" * 30}, None),
        ({"end_time": None}, None),
        ({"status": "no-answer", "duration": "0"}, None),
        ({"status": "in-progress"}, None),
    ],
)
def test_a_call_was_answered_its_duration_before_its_end(
    changes: dict[str, Any], answered_at: str | None
) -> None:
    answered = call(**changes).answered_at
    assert (answered.to_iso8601_string() if answered else None) == answered_at


@pytest.mark.parametrize(
    "written",
    ["2019-10-18T17:00:03Z", "2019-10-18T17:00:03+00:00", pendulum.datetime(2019, 10, 18, 17, 0, 3)],
)
def test_times_may_be_iso_8601_or_instants_already(written: object) -> None:
    assert call(start_time=written).start_time == call().start_time


@pytest.mark.parametrize(
    ("detail", "value"),
    [
        ("start_time", "yesterday"),
        ("end_time", "Fri, 31 Dec 9999 23:59:59 -0100"),  # in UTC this is past the last year there is
        ("duration", "12.5"),
        ("price", "free"),
        ("queue_time", "soon"),
    ],
)
def test_an_unreadable_detail_is_null_and_the_call_is_not_lost(detail: str, value: str) -> None:
    odd = call(**{detail: value})
    assert getattr(odd, detail) is None
    assert odd.sid == call().sid


def test_blank_means_null() -> None:
    assert call().trunk_sid is None
    assert call().caller_name is None
    assert call(answered_by="", duration="", price="", start_time="").answered_by is None


def test_fresh_call_is_mostly_null() -> None:
    fresh = Call.model_validate({"sid": SID, "status": "queued"})
    assert (fresh.start_time, fresh.duration, fresh.price, fresh.answered_by) == (None, None, None, None)


def test_from_is_read_under_both_of_its_names() -> None:
    assert Call(sid=SID, status=CallStatus.QUEUED, from_="+15017122661").from_ == call().from_


@pytest.mark.parametrize("body", [{}, {"sid": SID}, {"sid": "SM" + "0" * 32, "status": "queued"}, [], "call"])
def test_what_is_no_call_is_refused(body: object) -> None:
    with pytest.raises(ValidationError):
        Call.model_validate(body)


@pytest.mark.parametrize(
    ("value", "looks_like_one"),
    [
        (SID, True),
        (SID.upper().replace("CA", "CA"), True),
        (SID[:-1], False),
        (f"{SID}\n", False),
        (None, False),
    ],
)
def test_sid_of_a_call_is_recognised(value: object, looks_like_one: bool) -> None:
    assert is_call_sid(value) is looks_like_one


def test_call_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        call().status = CallStatus.BUSY


# Status and answered_by ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_terminal"),
    [
        ("queued", False),
        ("ringing", False),
        ("in-progress", False),
        ("completed", True),
        ("busy", True),
        ("failed", True),
        ("no-answer", True),
        ("canceled", True),
        ("transferring", False),
    ],
)
def test_is_terminal_says_whether_the_call_is_over(status: str, is_terminal: bool) -> None:
    assert call(status=status).status.is_terminal is is_terminal


def test_the_table_above_has_every_status() -> None:
    assert {status.value for status in CallStatus} == {
        "queued",
        "ringing",
        "in-progress",
        "completed",
        "busy",
        "failed",
        "no-answer",
        "canceled",
    }


@pytest.mark.parametrize("answered_by", [each.value for each in AnsweredBy])
def test_every_answerer_is_known(answered_by: str) -> None:
    assert call(answered_by=answered_by).answered_by is AnsweredBy(answered_by)


def test_unknown_status_survives_as_it_is() -> None:
    status = call(status="on-hold").status
    assert isinstance(status, CallStatus)
    assert (status.value, status.name, str(status)) == ("on-hold", "ON_HOLD", "on-hold")
    assert status == CallStatus("on-hold") == "on-hold"
    assert status not in set(CallStatus)


def test_status_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError):
        CallStatus(7)


# to_dict ------------------------------------------------------------------------------------------------------


def test_to_dict_is_json_under_twilios_names() -> None:
    body = json.loads(json.dumps(call().to_dict()))
    assert body == call().to_dict()
    assert set(BODY) == set(body)
    assert {name: body[name] for name in ("status", "answered_by", "duration", "queue_time", "price")} == {
        "status": "completed",
        "answered_by": "machine_end_beep",
        "duration": 67,
        "queue_time": 1500,
        "price": "-0.03000",
    }
    assert body["start_time"] == "2019-10-18T17:00:03Z"


def test_to_dict_shows_the_last_four_digits_of_every_number() -> None:
    body = call().to_dict()
    assert body["to"] == "+1*******5310"
    assert body["from"] == "+1*******2661"
    assert body["forwarded_from"] == "+1*******4567"
    assert body["to_formatted"].endswith("*******5310")
    assert body["from_formatted"].endswith("*******2661")
    text = json.dumps(body)
    assert [part for part in ("867", "712", "5141", "5558") if part in text] == []


@pytest.mark.parametrize(
    ("address", "shown"),
    [("client:alice", "client:a****"), ("sip:alice@example.com", "sip:a****@example.com")],
)
def test_to_dict_hides_names_as_well(address: str, shown: str) -> None:
    assert call(to=address).to_dict()["to"] == shown


def test_to_dict_hides_the_callers_name() -> None:
    assert call(caller_name="Alice Example").to_dict()["caller_name"] == "A****"


def test_to_dict_hides_numbers_in_fields_unknown_to_this_version() -> None:
    body = call(annotation="from +15558675310", legs=[{"to": "+15558675310"}], depth=2).to_dict()
    assert body["annotation"] == "from +1*******5310"
    assert body["legs"] == [{"to": "+1*******5310"}]
    assert body["depth"] == 2


def test_call_comes_back_from_its_dict() -> None:
    back = Call.model_validate(call().to_dict())
    assert back.to_dict() == call().to_dict()
    assert (back.start_time, back.price, back.status) == (call().start_time, call().price, call().status)


def test_what_is_unknown_today_survives_there_and_back() -> None:
    unknown = call(status="on-hold", answered_by="robot", hologram={"size": 3})
    back = Call.model_validate(json.loads(json.dumps(unknown.to_dict())))
    assert back.status == "on-hold"
    assert back.answered_by == "robot"
    assert back.model_extra == {"hologram": {"size": 3}, "stir_verstat": None}


# Kept and shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [repr, str], ids=["repr", "str"])
def test_repr_has_sid_and_status_and_no_number(show: Any) -> None:
    assert show(call()) == f"Call(sid='{SID}', status='completed')"


def test_call_pickles() -> None:
    assert pickle.loads(pickle.dumps(call())) == call()


def test_call_of_unknown_status_pickles() -> None:
    assert pickle.loads(pickle.dumps(call(status="on-hold"))).status == "on-hold"
