"""What a mapped task is called in the UI."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.operators.map_label import label_mapped_task
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from tests.support.task_context import RecordingTaskInstance, context


@pytest.mark.parametrize(
    ("to", "label"),
    [
        ("+15551234567", "+1*******4567"),
        ("client:alice", "client:a****"),
        ("{{ nope }}", "{****"),
    ],
)
def test_a_mapped_task_is_called_by_its_callee(to: str, label: str) -> None:
    ti = RecordingTaskInstance(map_index=2)
    task_context = context(ti)
    label_mapped_task(task_context, CreateCallOperator(task_id="ring", to=to, message="hi").label)
    assert (task_context["map_index_template"], ti.rendered_map_index) == (label, label)


def test_a_task_that_is_not_mapped_has_no_label() -> None:
    ti = RecordingTaskInstance()
    label_mapped_task(task_context := context(ti), "+1*******4567")
    assert (task_context.get("map_index_template"), ti.rendered_map_index) == (None, None)


def test_the_authors_own_label_stays() -> None:
    ti = RecordingTaskInstance(map_index=2, rendered_map_index="Ann")
    task_context = context(ti) | {"map_index_template": "{{ name }}"}
    label_mapped_task(task_context, "+1*******4567")
    assert (task_context["map_index_template"], ti.rendered_map_index) == ("{{ name }}", "Ann")
