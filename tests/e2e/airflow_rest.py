"""Airflow's REST API as tests use it: start a run, look at its tasks, do to them what a person does in the UI."""

from __future__ import annotations

from typing import Any

import requests

from tests.support.waiting import wait_until

DAG_LIMIT_S = 180.0
DATABASE_LIMIT_S = 60.0
REQUEST_LIMIT_S = 60.0
# Airflow reads a dozen tables to answer that.
LOOK_AT_RUN_AGAIN_S = 2.0
OVER = ("success", "failed")


class AirflowRest:
    """The REST API of an API server.

    :param url: the API server's
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = requests.Session()
        self._http.trust_env = False

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self.call("GET", path, params=query)

    def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Send a request, again while SQLite lets nobody else write; return the JSON of its answer."""
        url = f"{self._url}/api/v2/{path}"
        headers = {"Accept": "application/json"}

        def answered() -> requests.Response | None:
            answer = self._http.request(method, url, headers=headers, timeout=REQUEST_LIMIT_S, **more)
            return None if answer.status_code == 500 and "Database error" in answer.text else answer

        answer = wait_until(answered, f"a database that {method} {path} can use", DATABASE_LIMIT_S)
        if not answer.ok:
            raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        result: dict[str, Any] = answer.json()
        return result

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> Run:
        """Start a run of a DAG, once Airflow knows it."""
        wait_until(lambda: self._knows(dag_id), f"the DAG {dag_id}", DAG_LIMIT_S)
        run = self.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf or {}})
        return Run(self, dag_id, run["dag_run_id"])

    def add_connection(self, conn_id: str, **fields: Any) -> None:
        """Keep a connection in Airflow's database; the fields are those of the REST API, ``conn_type`` say."""
        self.call("POST", "connections", json={"connection_id": conn_id, **fields})

    def alive_triggerers(self) -> set[str]:
        """The names of the triggerers that Airflow takes for alive."""
        jobs = self.get("jobs", job_type="TriggererJob", is_alive="true")["jobs"]
        return {job["unixname"] for job in jobs}

    def is_healthy(self) -> bool:
        try:
            health = self.get("monitor/health")
        except (requests.RequestException, RuntimeError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all(health[part]["status"] == "healthy" for part in parts)

    def close(self) -> None:
        self._http.close()

    def _knows(self, dag_id: str) -> bool:
        broken = self.get("importErrors")["import_errors"]
        if broken:
            raise RuntimeError(f"a DAG file cannot be imported: {broken}")
        known = self.get("dags", dag_id_pattern=dag_id, limit=100)["dags"]
        return any(dag["dag_id"] == dag_id for dag in known)


class Run:
    """A run of a DAG, seen through the REST API. A ``map_index`` below 0 means a task that is not mapped."""

    def __init__(self, rest: AirflowRest, dag_id: str, run_id: str) -> None:
        self._rest = rest
        self.dag_id = dag_id
        self.run_id = run_id
        self._path = f"dags/{dag_id}/dagRuns/{run_id}"

    @property
    def state(self) -> str:
        return str(self._rest.get(self._path)["state"])

    @property
    def conf(self) -> dict[str, Any]:
        conf: dict[str, Any] = self._rest.get(self._path)["conf"]
        return conf

    # What is

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """A task instance; its latest try."""
        return self._rest.get(self._path_of(task_id, map_index))

    def task_state(self, task_id: str, map_index: int = -1) -> str | None:
        """The state of a task; None while Airflow has not looked at it."""
        state: str | None = self.task(task_id, map_index)["state"]
        return state

    def try_number(self, task_id: str, map_index: int = -1) -> int:
        """The number of a task's latest try."""
        return int(self.task(task_id, map_index)["try_number"])

    def tries(self, task_id: str, map_index: int = -1) -> list[dict[str, Any]]:
        """All tries of a task, oldest first."""
        found = self._rest.get(f"{self._path_of(task_id, map_index)}/tries")["task_instances"]
        return sorted(found, key=lambda each: int(each["try_number"]))

    def triggerer_of(self, task_id: str, map_index: int = -1) -> str | None:
        """The name of the triggerer that runs a deferred task's trigger; None while none does."""
        job = self.task(task_id, map_index)["triggerer_job"]
        return job and str(job["unixname"])

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """The value of an XCom."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._rest.get(path, map_index=map_index, deserialize="true")["value"]

    def xcom_keys(self, task_id: str, map_index: int = -1) -> set[str]:
        """Which XComs a task has pushed."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries"
        return {entry["key"] for entry in self._rest.get(path, map_index=map_index)["xcom_entries"]}

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """What a try of a task has logged, as the UI shows it."""
        path = f"{self._path}/taskInstances/{task_id}/logs/{try_number}"
        content = self._rest.get(path, map_index=map_index, full_content="true")["content"]
        return "\n".join(str(line) for line in content)

    def logs(self, task_id: str, map_index: int = -1) -> dict[int, str]:
        """What each try of a task has logged, by its number."""
        numbers = range(1, self.try_number(task_id, map_index) + 1)
        return {number: self.log(task_id, number, map_index) for number in numbers}

    # What a person does

    def mark(self, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task as failed or success, as the UI does it."""
        self._rest.call("PATCH", self._path_of(task_id, map_index), json={"new_state": state})

    def mark_failed(self, task_id: str, map_index: int = -1) -> None:
        self.mark(task_id, "failed", map_index)

    def mark_success(self, task_id: str, map_index: int = -1) -> None:
        self.mark(task_id, "success", map_index)

    def clear(self, task_id: str, map_index: int = -1) -> None:
        """Clear one task, in whatever state it is, as the UI does it."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": [task_id if map_index < 0 else [task_id, map_index]],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._rest.call("POST", f"dags/{self.dag_id}/clearTaskInstances", json=body)

    # Waiting

    def wait(self, limit: float) -> Run:
        """Return once the run is over."""
        wait_until(lambda: self.state in OVER, f"the end of {self.dag_id}", limit, LOOK_AT_RUN_AGAIN_S)
        return self

    def wait_for_task(
        self, task_id: str, state: str, limit: float, *, try_number: int | None = None, map_index: int = -1
    ) -> None:
        """Return once a task is in a state (in that try, if one is named)."""

        def is_there() -> bool:
            task = self.task(task_id, map_index)
            return task["state"] == state and try_number in (None, task["try_number"])

        which = f"try {try_number} of {task_id}" if try_number else task_id
        try:
            wait_until(is_there, f"{which} to be {state}", limit)
        except TimeoutError as error:
            now = self.task(task_id, map_index)
            log = self.log(task_id, now["try_number"], map_index)
            raise TimeoutError(
                f"{error}: it is {now['state']} in try {now['try_number']} and has logged:\n{log}"
            ) from None

    def wait_for_triggerer(self, task_id: str, limit: float, *, other_than: str | None = None) -> str:
        """The name of the triggerer that runs a deferred task's trigger, once there is one."""

        def is_somebody_elses() -> str | None:
            name = self.triggerer_of(task_id)
            return name if name != other_than else None

        return str(wait_until(is_somebody_elses, f"a triggerer to run the trigger of {task_id}", limit))

    def _path_of(self, task_id: str, map_index: int) -> str:
        mapped = f"/{map_index}" if map_index >= 0 else ""
        return f"{self._path}/taskInstances/{task_id}{mapped}"
