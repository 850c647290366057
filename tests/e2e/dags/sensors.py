"""The sensor in its three modes: the same three calls, judged alike."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor

ANSWERED, BUSY, ENDLESS = "+15005552201", "+15005552202", "+15005552203"

# A short message has a limit of its own, and this call is to go on.
NO_LIMIT = 14_400


# Airflow takes a task that is rescheduled for less than some 5 s for a dead one, now and then; on a machine that has
# other things to do its scheduler is behind by more.
SHORTEST_RESCHEDULE_S = 15


def sensor(task_id: str, ring: CreateCallOperator, **more: Any) -> TwilioCallSensor:
    interval = SHORTEST_RESCHEDULE_S if more.get("mode") == "reschedule" else 2
    return TwilioCallSensor(task_id=task_id, call_sid=ring.output, poke_interval=interval, **more)


for name, how in (
    ("poke", {"mode": "poke"}),
    ("reschedule", {"mode": "reschedule"}),
    ("deferred", {"deferrable": True}),
):
    with DAG(dag_id=f"sensor_{name}", schedule=None):
        answered = CreateCallOperator(task_id="ring_answered", to=ANSWERED, message="hello")
        busy = CreateCallOperator(task_id="ring_busy", to=BUSY, message="hello")
        endless = CreateCallOperator(task_id="ring_endless", to=ENDLESS, message="hello", time_limit=NO_LIMIT)
        sensor("answered", answered, **how)
        sensor("busy", busy, retries=1, **how)
        sensor("busy_soft", busy, soft_fail=True, **how)
        sensor("timed_out", endless, timeout=8, **how)
        sensor("timed_out_soft", endless, timeout=8, soft_fail=True, **how)

for name, how in (("poke", {"mode": "poke"}), ("deferred", {"deferrable": True})):
    with DAG(dag_id=f"killed_sensor_{name}", schedule=None):
        ring = CreateCallOperator(task_id="ring", to=ENDLESS, message="hello", time_limit=NO_LIMIT)
        sensor("killed", ring, **how)
