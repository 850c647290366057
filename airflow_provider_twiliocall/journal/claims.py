"""Which calls the tasks of a DAG run have said to be theirs: their XCom ``call_sid``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from airflow_provider_twiliocall.journal.xcom import CALL_SID


class CallClaims:
    """The claims of one run, seen from one of its tasks.

    :param task_instance: of this task, as in the context
    :param task_ids: the tasks of the DAG that place calls, this one among them; each may be mapped
    """

    def __init__(self, task_instance: Any, task_ids: Collection[str]) -> None:
        self._task_instance = task_instance
        self._task_ids = list(task_ids)
        self._own: str | None = None

    def claim(self, call_sid: str) -> None:
        """Say that a call is this task's."""
        self._task_instance.xcom_push(key=CALL_SID, value=call_sid)
        self._own = call_sid

    def of_others(self) -> Collection[str]:
        """Return the calls that other tasks, and other indices of this one, have claimed."""
        claimed = Counter(
            call_sid
            for call_sid in self._task_instance.xcom_pull(task_ids=self._task_ids, key=CALL_SID) or ()
            if call_sid
        )
        if self._own:
            claimed[self._own] -= 1
        return {call_sid for call_sid, claims in claimed.items() if claims > 0}
