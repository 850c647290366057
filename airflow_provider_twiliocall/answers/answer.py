"""What a callee has answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A key that was pressed, and what it means.

    :param token: of the run of the task that has asked
    :param call_sid: the call in which it was pressed
    :param key: ``0`` to ``9`` or ``*``
    :param option: what that key was said to mean
    :param at: when the receiver learnt of it, ISO 8601, UTC
    """

    token: str
    call_sid: str
    key: str
    option: str
    at: str

    def to_xcom(self) -> dict[str, str]:
        """Return what tasks that come after see of it."""
        return {"key": self.key, "option": self.option, "at": self.at}

    def to_json(self) -> dict[str, str]:
        """Return it for Airflow to keep: no phone number in it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Answer:
        """Read what :meth:`to_json` wrote; what a later version added is ignored."""
        return cls(**{each.name: value[each.name] for each in fields(cls)})
