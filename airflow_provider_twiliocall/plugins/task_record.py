"""What the receiver reads and writes of a task, in Airflow's database: the other side of ``answers/mailbox.py``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.models.xcom import XComModel
from sqlalchemy import Uuid, select

from airflow_provider_twiliocall.answers.answer import Answer
from airflow_provider_twiliocall.answers.mailbox import ANSWER, QUESTION, answer_to
from airflow_provider_twiliocall.answers.question import Question
from airflow_provider_twiliocall.compat import StateStoreOfTask, set_xcom_on_server, state_store_on_server

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True)
class TaskKey:
    """A task of a run, whichever try of it is the latest."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


def task_of(session: Session, task_instance_id: str) -> TaskKey | None:
    """Return the task that a try was one of; None where there is none any more."""
    try:
        uuid = UUID(task_instance_id)
    except ValueError:
        return None
    for model, id_column in (
        (TaskInstance, TaskInstance.id),
        (TaskInstanceHistory, TaskInstanceHistory.task_instance_id),
    ):
        # Columns, not objects: what a session has loaded it does not read again.
        columns = select(model.dag_id, model.run_id, model.task_id, model.map_index)
        # Airflow 3.1 and 3.2 keep it as text.
        row = session.execute(
            columns.where(id_column == (uuid if isinstance(id_column.type, Uuid) else str(uuid)))
        ).first()
        if row is not None:
            return TaskKey(*row)
    return None


class TaskRecord:
    """What Airflow keeps for a task, as its tries see it."""

    def __init__(self, session: Session, task: TaskKey) -> None:
        self._session = session
        self._task = task
        self._store: StateStoreOfTask | None = state_store_on_server(session, **asdict(task))

    def question(self) -> Question | None:
        """Return what the task has asked last."""
        kept = self._get(QUESTION)
        return Question.from_json(kept) if kept else None

    def answer(self, question: Question) -> Answer | None:
        """Return what has been answered to a question."""
        return answer_to(question.token, self._get(ANSWER))

    def keep(self, answer: Answer) -> None:
        """Keep an answer for the task."""
        self._set(ANSWER, answer.to_json())

    def lock(self) -> None:
        """Let nobody else who does this write to the same task until the session ends."""
        self._session.execute(select(TaskInstance.id).where(*self.is_the_task).with_for_update())

    def xcom(self, key: str) -> Any:
        """Return an XCom of the task's; None for none."""
        found = self._session.execute(
            XComModel.get_many(
                key=key,
                dag_ids=self._task.dag_id,
                run_id=self._task.run_id,
                task_ids=self._task.task_id,
                map_indexes=self._task.map_index,
            ).with_only_columns(XComModel.value)
        ).first()
        return None if found is None else XComModel.deserialize_value(found)

    def push_xcom(self, key: str, value: Any) -> None:
        """Set an XCom of the task's."""
        set_xcom_on_server(self._session, key, value, **asdict(self._task))

    def _get(self, key: str) -> Any:
        return self.xcom(key) if self._store is None else self._store.get(key)

    def _set(self, key: str, value: Any) -> None:
        if self._store is None:
            self.push_xcom(key, value)
        else:
            self._store.set(key, value)

    @property
    def is_the_task(self) -> tuple[Any, ...]:
        """Conditions that its task instance meets, and no other."""
        task = self._task
        return (
            TaskInstance.dag_id == task.dag_id,
            TaskInstance.run_id == task.run_id,
            TaskInstance.task_id == task.task_id,
            TaskInstance.map_index == task.map_index,
        )
