"""The record of what alerts have placed, as far as a callback can reach it."""

from __future__ import annotations

import asyncio

import pytest
from airflow import __version__ as airflow_version
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable

from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
from tests.support.airflow_variables import AirflowVariables

SID = f"CA{5:032x}"
KEY = f"twilio_call_alert_{SID}"
DAG_CONTEXT = {"dag": object(), "run_id": "manual"}

from_airflow_3_2_on = pytest.mark.skipif(
    airflow_version.startswith("3.1."), reason="one thread only may ask Airflow's API there"
)


@pytest.mark.parametrize("raises", [False, True], ids=["error answered", "error raised"])
def test_what_was_written_is_found_until_it_is_forgotten(raises: bool) -> None:
    airflow = AirflowVariables(raises=raises)
    record = AlertRecord(airflow.send, airflow.send)
    assert record.has(SID) is False
    record.add(SID)
    assert record.has(SID) is True
    record.forget(SID)
    assert record.has(SID) is False


def test_it_holds_the_sid_and_the_time_and_nothing_else() -> None:
    airflow = AirflowVariables()
    AlertRecord(airflow.send, airflow.send).add(SID)
    [(key, value)] = airflow.kept.items()
    assert key == KEY
    assert value.isdecimal()


@pytest.mark.parametrize("fault", [OSError("away"), TimeoutError(), RuntimeError("closed")])
def test_where_airflow_does_not_answer_nobody_can_tell(fault: Exception) -> None:
    record = AlertRecord(AirflowVariables(fault).send, AirflowVariables(fault).send)
    assert record.has(SID) is None
    record.add(SID)
    record.forget(SID)


@pytest.mark.parametrize(
    "error",
    [error for error in (*ErrorType, None) if error is not ErrorType.VARIABLE_NOT_FOUND],
    ids=str,
)
def test_any_other_answer_leaves_it_open(error: ErrorType | None) -> None:
    answer = None if error is None else ErrorResponse(error=error)
    assert AlertRecord(lambda request: answer).has(SID) is None


def test_who_may_not_write_sends_nothing_that_changes_anything() -> None:
    airflow = AirflowVariables()
    record = AlertRecord(airflow.send)
    record.add(SID)
    record.forget(SID)
    assert airflow.requests == []


# Where callbacks run


def test_without_a_connection_to_airflow_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    record = AlertRecord.for_callback(DAG_CONTEXT)
    assert record.has(SID) is None
    assert not record.may_write
    record.add(SID)


@from_airflow_3_2_on
def test_callbacks_of_tasks_and_dags_read_and_write(monkeypatch: pytest.MonkeyPatch) -> None:
    AirflowVariables().connect(monkeypatch)
    record = AlertRecord.for_callback(DAG_CONTEXT)
    record.add(SID)
    assert record.has(SID) is True


@from_airflow_3_2_on
def test_on_the_executor_nothing_is_written_because_airflow_would_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    airflow = AirflowVariables()
    airflow.connect(monkeypatch)
    record = AlertRecord.for_callback({"dag_run": {}, "deadline": {}})
    record.add(SID)
    assert record.has(SID) is False
    assert [type(request) for request in airflow.requests] == [GetVariable]


def test_the_connection_of_dags_test_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    assert AlertRecord.for_callback(DAG_CONTEXT).has(SID) is None


@from_airflow_3_2_on
def test_the_triggerer_reads_and_writes_by_its_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = AirflowVariables()
    airflow.connect(monkeypatch)

    async def in_a_thread() -> bool | None:
        record = AlertRecord.for_trigger(asyncio.get_running_loop())
        await asyncio.to_thread(record.add, SID)
        return await asyncio.to_thread(record.has, SID)

    assert asyncio.run(in_a_thread()) is True
    assert list(airflow.kept) == [KEY]


@pytest.mark.skipif(not airflow_version.startswith("3.1."), reason="later ones let several threads ask")
def test_on_airflow_3_1_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = AirflowVariables()
    airflow.connect(monkeypatch)
    record = AlertRecord.for_callback(DAG_CONTEXT)
    record.add(SID)
    assert record.has(SID) is None
    assert airflow.requests == []
