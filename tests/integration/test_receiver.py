"""The receiver over HTTP, on Airflow's database: it believes what is signed, keeps answers, and wakes who waits."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from sqlalchemy import insert

from airflow_provider_twiliocall.answers.call_address import CallAddress
from airflow_provider_twiliocall.answers.mailbox import ANSWER, QUESTION
from airflow_provider_twiliocall.answers.question import Question
from airflow_provider_twiliocall.plugins import gate, waker
from airflow_provider_twiliocall.plugins.routes import CHECK_BODY, LONGEST_BODY
from airflow_provider_twiliocall.plugins.task_record import TaskRecord, task_of
from tests.integration.mounted_receiver import TIMEOUT_S, Sender, mounted_receiver
from tests.support.airflow_database import TaskRow, session_of
from tests.support.waiting import wait_until

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "token-of-this-run"
QUESTION_ASKED = Question(
    TOKEN,
    {"1": "confirm", "2": "call me later"},
    words="<Say>Press 1 to confirm.</Say>",
    thanks="<Say>Thank you.</Say>",
    goodbye="<Say>Goodbye.</Say>",
    ask_times=3,
)


@pytest.fixture(scope="module", params=["", "/airflow"], ids=["at the root", "under a path"])
def public_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with mounted_receiver(request.param) as url:
        yield url


def connect(public_url: str, monkeypatch: pytest.MonkeyPatch, auth_token: str, name: str = "default") -> None:
    extra = {"webhook_url": public_url}
    fields = {"conn_type": "twilio", "login": ACCOUNT, "password": auth_token, "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_TWILIO_{name.upper()}", json.dumps(fields))


@pytest.fixture
def row() -> TaskRow:
    return TaskRow()


@pytest.fixture
def sender(public_url: str, monkeypatch: pytest.MonkeyPatch, row: TaskRow) -> Sender:
    connect(public_url, monkeypatch, "secret")
    return Sender(public_url, CallAddress("twilio_default", row.id, TOKEN), "secret")


@pytest.fixture
def record(row: TaskRow) -> Record:
    return Record(row)


class Record:
    """What Airflow keeps for the task."""

    def __init__(self, row: TaskRow) -> None:
        self._row = row

    def ask(self, question: Question = QUESTION_ASKED) -> None:
        self._with(lambda record: record._set(QUESTION, question.to_json()))

    @property
    def answer(self) -> dict[str, Any] | None:
        kept = self._with(lambda record: record._get(ANSWER))
        return kept and {name: kept[name] for name in ("token", "call_sid", "key", "option")}

    def push(self, key: str, value: Any) -> None:
        self._with(lambda record: record.push_xcom(key, value))

    def xcom(self, key: str) -> Any:
        return self._with(lambda record: record.xcom(key))

    def _with(self, do: Callable[[TaskRecord], Any]) -> Any:
        with session_of() as session:
            task = task_of(session, str(self._row.now["id"]))
            assert task is not None
            return do(TaskRecord(session, task))


# Who may come in ----------------------------------------------------------------------------------------------


def test_a_set_up_check_sees_the_receiver(public_url: str) -> None:
    response = requests.get(f"{public_url}/twilio-call/check", timeout=TIMEOUT_S)
    assert (response.status_code, response.text) == (200, CHECK_BODY)


@pytest.mark.parametrize("signature", ["", "forged", "ü"])
def test_what_is_not_signed_changes_nothing_and_learns_nothing(
    sender: Sender, record: Record, signature: str
) -> None:
    record.ask()
    url = sender.address.answer_url(sender.receiver_url, 1)
    refused = sender.send(url, {"CallSid": "CA1", "Digits": "1"}, signature.encode().decode("latin-1"))
    unknown = sender.send(url.replace(TOKEN, "x"), {"CallSid": "CA1", "Digits": "1"}, "forged")
    assert refused.status_code == unknown.status_code == 403
    assert refused.content == unknown.content
    assert record.answer is None


def test_a_signature_of_another_account_is_none(sender: Sender, record: Record) -> None:
    record.ask()
    sender.auth_token = "of another account"
    assert sender.press("1").status_code == 403
    assert record.answer is None


def test_a_signature_for_another_url_or_form_is_none(sender: Sender, record: Record) -> None:
    record.ask()
    from airflow_provider_twiliocall.twilio.signature import sign

    here, there = (sender.address.answer_url(sender.receiver_url, asked) for asked in (1, 2))
    form = {"CallSid": "CA1", "Digits": "1"}
    signature = sign(sender.auth_token, here, form.items())
    assert sender.send(there, form, signature).status_code == 403
    assert sender.send(here, {**form, "Digits": "2"}, signature).status_code == 403
    assert (
        sender.send(here + "?a=1", form, sign(sender.auth_token, here + "?a=1", form.items())).status_code
        == 403
    )
    assert record.answer is None


def test_a_rotated_auth_token_is_believed_within_a_second_whatever_is_forged(
    public_url: str, monkeypatch: pytest.MonkeyPatch, record: Record, row: TaskRow
) -> None:
    record.ask()
    connect(public_url, monkeypatch, "first", "rotated")
    sender = Sender(public_url, CallAddress("twilio_rotated", row.id, TOKEN), "first")
    assert sender.press("").status_code == 200
    connect(public_url, monkeypatch, "second", "rotated")
    sender.auth_token = "second"
    url = sender.address.answer_url(sender.receiver_url, 1)

    def is_believed() -> bool:
        for _ in range(50):
            sender.send(url, {"Digits": "1"}, "forged")
        return sender.press("1").status_code == 200

    wait_until(is_believed, "the new auth token to be believed", TIMEOUT_S, 0.1)


@pytest.mark.parametrize(
    "path",
    ["status/%%%/x/y", "status/ÿ/x/y", "answer/a/b/c/-1", "answer/a/b/c/1e9", "answer/a/b/c/١", "status/a/b"],
)
def test_malformed_paths_are_refused(public_url: str, path: str) -> None:
    response = requests.post(f"{public_url}/twilio-call/{path}", {"CallSid": "CA1"}, timeout=TIMEOUT_S)
    assert response.status_code in (403, 404, 429)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"no pairs", "application/x-www-form-urlencoded"),
        (b"&".join([b"a=1"] * 1_000), "application/x-www-form-urlencoded"),
    ],
)
def test_malformed_bodies_are_refused(sender: Sender, body: bytes, content_type: str) -> None:
    url = sender.address.status_url(sender.receiver_url)
    response = requests.post(url, body, headers={"content-type": content_type}, timeout=TIMEOUT_S)
    assert response.status_code in (403, 429)


def test_long_bodies_are_not_read(sender: Sender) -> None:
    assert sender.status("C" * LONGEST_BODY).status_code == 413


def test_too_many_refusals_are_said_to_be_too_many_and_twilio_is_still_let_in(
    sender: Sender, record: Record
) -> None:
    record.ask()
    url = sender.address.answer_url(sender.receiver_url, 1)
    with ThreadPoolExecutor(8) as threads:
        refused = list(
            threads.map(lambda _: sender.send(url, {"Digits": "1"}, "forged").status_code, range(300))
        )
    assert set(refused) == {403, 429}
    assert sender.press("1").status_code == 200
    assert record.answer is not None


def test_looks_at_unknown_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    guard = gate.Gate(lambda conn_id: looked.append(conn_id))
    for number in range(1_000):
        assert guard.may_enter(f"conn_{number}", str, [], "forged") is None
    assert len(looked) < 100


# Keys ---------------------------------------------------------------------------------------------------------


def test_a_key_is_kept_before_the_callee_hears_thanks(sender: Sender, record: Record) -> None:
    record.ask()
    heard = sender.press("1", call_sid="CA7")
    assert "Thank you." in heard.text
    assert record.answer == {"token": TOKEN, "call_sid": "CA7", "key": "1", "option": "confirm"}


@pytest.mark.parametrize("key", ["", "9"])
def test_silence_and_other_keys_are_asked_again_until_it_is_enough(
    sender: Sender, record: Record, key: str
) -> None:
    record.ask()
    again = [sender.press(key, asked=asked).text for asked in (1, 2, 3)]
    assert ["Press 1 to confirm." in text for text in again] == [True, True, False]
    assert f'action="{sender.address.answer_url(sender.receiver_url, 2)}"' in again[0]
    assert "Goodbye." in again[2]
    assert record.answer is None
    assert "Thank you." in sender.press("2", asked=2).text
    assert record.answer is not None


def test_the_first_answer_counts_whatever_is_replayed(sender: Sender, record: Record) -> None:
    record.ask()
    sender.press("1")
    assert "Thank you." in sender.press("2").text
    assert "Thank you." in sender.press("").text
    assert record.answer is not None
    assert record.answer["key"] == "1"


def test_of_two_keys_at_once_one_counts(sender: Sender, record: Record) -> None:
    record.ask()
    with ThreadPoolExecutor(8) as threads:
        heard = list(threads.map(lambda number: sender.press(str(1 + number % 2)).text, range(16)))
    assert all("Thank you." in text for text in heard)
    assert record.answer is not None


def test_the_next_try_has_the_answer(sender: Sender, record: Record, row: TaskRow) -> None:
    record.ask()
    row.replace_by_next_try()
    assert "Thank you." in sender.press("1").text
    assert record.answer is not None


def test_a_question_that_nobody_asks_any_more_takes_no_answer(
    sender: Sender, record: Record, row: TaskRow
) -> None:
    record.ask(Question("of a later run", {"1": "confirm"}, "", "", ""))
    assert "<Hangup" in sender.press("1").text
    assert record.answer is None
    sender.address = CallAddress("twilio_default", str(uuid.uuid4()), TOKEN)
    assert "<Hangup" in sender.press("1").text
    sender.address = CallAddress("twilio_default", "no-uuid", TOKEN)
    assert "<Hangup" in sender.press("1").text


# Waking -------------------------------------------------------------------------------------------------------


def wait_for_state(row: TaskRow, state: str) -> None:
    wait_until(lambda: row.now["state"] == state, f"the task to be {state}", TIMEOUT_S, 0.05)


def beat(row: TaskRow, *, seconds_ago: float) -> None:
    """The scheduler that has queued the task sends a heartbeat."""
    from airflow.jobs.job import Job

    at = datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)
    with session_of() as session:
        session.execute(insert(Job).values(latest_heartbeat=at, job_type="SchedulerJob", state="running"))
        row_id = session.query(Job.id).order_by(Job.id.desc()).first()[0]
    row.change(queued_by_job_id=row_id)


def test_a_task_that_waits_for_the_call_is_woken(sender: Sender, record: Record, row: TaskRow) -> None:
    record.push("call_sid", "CA1")
    row.defer()
    assert sender.status("CA1").status_code == 204
    wait_for_state(row, "scheduled")
    assert record.xcom("call_woken") == "CA1"
    assert "look" in json.dumps(row.now["next_kwargs"])


def test_a_callback_that_comes_before_the_task_has_deferred_wakes_it_then(
    sender: Sender, record: Record, row: TaskRow
) -> None:
    record.push("call_sid", "CA1")
    assert sender.status("CA1").status_code == 204
    row.defer()
    wait_for_state(row, "scheduled")


def test_a_task_is_not_woken_before_its_scheduler_has_seen_the_deferral(
    sender: Sender, record: Record, row: TaskRow
) -> None:
    record.push("call_sid", "CA1")
    row.defer(seconds_ago=10)
    beat(row, seconds_ago=9)
    with session_of() as session:
        task = task_of(session, row.id)
        assert task is not None
        assert not waker.wake_if_safe(session, task, "CA1")
    assert sender.status("CA1").status_code == 204
    beat(row, seconds_ago=1)
    # Only the beat is new.
    row.change(updated_at=datetime.now(timezone.utc) - timedelta(seconds=10))
    wait_for_state(row, "scheduled")


def test_only_the_end_of_a_call_wakes(sender: Sender, record: Record, row: TaskRow) -> None:
    record.push("call_sid", "CA1")
    row.defer()
    for status in ("initiated", "ringing", "in-progress", "nonsense", ""):
        assert sender.status("CA1", status).status_code == 204
    assert sender.status("CA2").status_code == 204
    with session_of() as session:
        task = task_of(session, row.id)
        assert task is not None
        assert waker.wake_if_safe(session, task, "CA2")
    assert row.now["state"] == "deferred"


def test_a_task_that_pauses_or_waits_for_another_call_is_left_alone(record: Record, row: TaskRow) -> None:
    record.push("call_sid", "CA1")
    row.defer(next_method="execute_next_call")
    with session_of() as session:
        task = task_of(session, row.id)
        assert task is not None
        assert waker.wake_if_safe(session, task, "CA1")
    row.defer()
    with session_of() as session:
        assert waker.wake_if_safe(session, task, "CA2")
    assert row.now["state"] == "deferred"


@pytest.mark.parametrize("state", ["success", "failed", "removed"])
def test_a_task_that_is_over_stays_over(record: Record, row: TaskRow, state: str) -> None:
    row.change(state=state)
    with session_of() as session:
        task = task_of(session, row.id)
        assert task is not None
        assert waker.wake_if_safe(session, task, "CA1")
    assert row.now["state"] == state


def test_callbacks_that_come_twice_and_all_at_once_wake_once(
    sender: Sender, record: Record, row: TaskRow
) -> None:
    record.push("call_sid", "CA1")
    row.defer()
    with ThreadPoolExecutor(8) as threads:
        assert {each.status_code for each in threads.map(lambda _: sender.status("CA1"), range(50))} == {204}
    wait_for_state(row, "scheduled")
