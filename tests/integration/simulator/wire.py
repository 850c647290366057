"""Bare HTTP to a simulator's API, for what the SDK hides or would never send."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_twiliocall.simulator import TwilioSimulator

TWIML = "<Response><Say>hello</Say></Response>"
TO = "+15005550006"


class Wire:
    """The account's part of the API; paths are relative to it, as in ``/Calls.json``."""

    def __init__(self, simulator: TwilioSimulator) -> None:
        self.simulator = simulator
        self.session = requests.Session()
        self.session.auth = (simulator.account_sid, simulator.auth_token)

    @property
    def root(self) -> str:
        return f"/2010-04-01/Accounts/{self.simulator.account_sid}"

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(
            method, self.simulator.url + self.root + path, **{"timeout": 10, **options}
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, data: Any = None, **options: Any) -> requests.Response:
        return self.send("POST", path, data=data, **options)

    def create(self, *more: tuple[str, str], **form: str | None) -> requests.Response:
        """Place a call that is fine, but for what the arguments change; None leaves a parameter out."""
        fine = {"To": TO, "From": self.simulator.from_number, "Twiml": TWIML}
        pairs = [(name, value) for name, value in {**fine, **form}.items() if value is not None]
        return self.post("/Calls.json", [*pairs, *more])

    def call(self, sid: str) -> dict[str, Any]:
        """A call as the API shows it."""
        answer: dict[str, Any] = self.get(f"/Calls/{sid}.json").json()
        return answer

    def control(self, method: str, path: str = "", **options: Any) -> requests.Response:
        """The control API, which asks for no credentials."""
        return requests.request(method, f"{self.simulator.url}/simulator{path}", timeout=10, **options)
