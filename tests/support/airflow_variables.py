"""Airflow's Variables, as its API gives and takes them, and this process's connection to it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import (
    CommsDecoder,
    DeleteVariable,
    ErrorResponse,
    PutVariable,
    VariableResult,
)


class AirflowVariables:
    """The Variables by name, and what was asked.

    :param fault: raised whatever is asked
    :param raises: an error is raised, as some of Airflow's processes do, instead of answered
    """

    def __init__(self, fault: Exception | None = None, *, raises: bool = False) -> None:
        self.kept: dict[str, str] = {}
        self.requests: list[Any] = []
        self._fault = fault
        self._raises = raises

    def send(self, request: Any) -> Any:
        """Answer a request."""
        self.requests.append(request)
        if self._fault is not None:
            raise self._fault
        if isinstance(request, PutVariable):
            self.kept[request.key] = request.value or ""
        elif isinstance(request, DeleteVariable):
            self.kept.pop(request.key, None)
        elif request.key in self.kept:
            return VariableResult(key=request.key, value=self.kept[request.key])
        else:
            return self._not_found()
        return None

    def connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give this process the connection that a worker, a DAG processor and a triggerer have."""
        variables = self

        class Comms(CommsDecoder[Any, Any]):
            def send(self, msg: Any) -> Any:
                return variables.send(msg)

            async def asend(self, msg: Any) -> Any:
                return variables.send(msg)

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object.__new__(Comms), raising=False)

    def _not_found(self) -> ErrorResponse:
        error = ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
        if self._raises:
            raise AirflowRuntimeError(error)
        return error
