"""The URLs under which Twilio tells the receiver of one call."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True)
class CallAddress:
    """Whom a callback is for: which connection verifies it, which task's call it is about.

    :param conn_id: the Airflow connection with whose auth token Twilio signs
    :param task_instance_id: the UUID of the try that has placed the call. Tries after it are found by it
    :param token: what the journal calls this run of the task by; nobody can guess it
    """

    conn_id: str
    task_instance_id: str
    token: str

    def status_url(self, receiver_url: str) -> str:
        """Return where Twilio tells how the call goes."""
        return f"{receiver_url}/status/{self._path}"

    def answer_url(self, receiver_url: str, asked: int) -> str:
        """Return where Twilio tells which key was pressed.

        :param asked: how often the callee has heard the question by then, from 1
        """
        return f"{receiver_url}/answer/{self._path}/{asked}"

    @property
    def _path(self) -> str:
        # Nothing that needs to be quoted: a proxy may write a quoted path anew, and the signature is over the URL.
        conn_id = base64.urlsafe_b64encode(self.conn_id.encode()).decode().rstrip("=")
        return f"{conn_id}/{self.task_instance_id}/{self.token}"

    @classmethod
    def of(cls, conn_id: str, task_instance_id: str, token: str) -> CallAddress:
        """Read the three parts of a path.

        :raises ValueError: it is none of ours
        """
        padded = conn_id + "=" * (-len(conn_id) % 4)
        decoded = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        return cls(decoded.decode(), task_instance_id, token)
