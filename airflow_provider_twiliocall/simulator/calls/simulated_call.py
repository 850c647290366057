"""One call in the simulator: what was asked for, and what has happened to it so far."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from airflow_provider_twiliocall.simulator.calls.conversation import Conversation
from airflow_provider_twiliocall.simulator.calls.endings import Ending
from airflow_provider_twiliocall.twilio.call import AnsweredBy, CallStatus

Form = tuple[tuple[str, str], ...]


def new_sid(prefix: str) -> str:
    """A SID nobody has seen before: two letters and 32 hexadecimal digits."""
    return prefix + uuid.uuid4().hex


@dataclass(frozen=True)
class Notification:
    """One line of Twilio's debugger about a call."""

    sid: str
    created_at: float
    error_code: int
    message: str
    is_error: bool = True
    url: str = ""


@dataclass
class Recording:
    """The recording of one call."""

    sid: str
    started_at: float
    ended_at: float | None = None
    ready_at: float | None = None


@dataclass(frozen=True)
class WebhookExchange:
    """A request Twilio made about a call and the answer; ``note`` says why one was not sent or answered."""

    at: float
    method: str
    url: str
    params: Form
    status: int | None
    content_type: str
    body: str
    took: float
    note: str = ""


@dataclass(eq=False)
class SimulatedCall:
    """A call. All times are instants of the simulator's clock; None is "not yet, or never"."""

    number: int
    sid: str
    account_sid: str
    to: str
    from_: str
    form: Form
    ending: Ending
    created_at: float
    phone_number_sid: str | None
    history: list[tuple[float, CallStatus]] = field(default_factory=list)
    plan: int = 0
    dialed_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    duration: int | None = None
    queue_time: int | None = None
    answered_by: AnsweredBy | None = None
    answered_by_at: float | None = None
    price: str | None = None
    priced_at: float | None = None
    updated_at: float = 0.0
    deleted: bool = False
    recording: Recording | None = None
    notifications: list[Notification] = field(default_factory=list)
    exchanges: list[WebhookExchange] = field(default_factory=list)
    callbacks_sent: int = 0
    conversation: Conversation = field(default_factory=Conversation)
    changes: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> CallStatus:
        """Where the call stands."""
        return self.history[-1][1]

    def status_at(self, instant: float) -> CallStatus:
        """Where the call stood at an instant (``queued`` before its creation)."""
        if instant >= self.history[-1][0]:
            return self.history[-1][1]
        for since, status in reversed(self.history):
            if since <= instant:
                return status
        return CallStatus.QUEUED

    def enter(self, status: CallStatus, instant: float) -> None:
        """The call changes to a status."""
        self.history.append((instant, status))
        self.updated_at = instant

    def be_answered(self, instant: float) -> None:
        """Somebody picks up; a recording begins if one was asked for."""
        self.enter(CallStatus.IN_PROGRESS, instant)
        self.answered_at = instant
        if self.is_recorded():
            self.recording = Recording(new_sid("RE"), instant)

    def be_over(self, status: CallStatus, instant: float, duration: int) -> None:
        """The call ends, and nothing comes of what was planned for it."""
        self.plan += 1
        self.conversation.asking = None
        self.enter(status, instant)
        self.ended_at = instant
        self.duration = duration
        if self.recording is not None:
            self.recording.ended_at = instant
        if status is CallStatus.FAILED and self.ending.error_code:
            failure = Notification(new_sid("NO"), instant, self.ending.error_code, self.ending.failure)
            self.notifications.append(failure)

    def get(self, name: str, default: str = "") -> str:
        """What the call was asked for, or changed to since, under one parameter's name."""
        changed = self.changes.get(name)
        if changed is not None:
            return changed
        return next((value for key, value in self.form if key == name), default)

    def get_all(self, name: str) -> list[str]:
        """All values of a parameter that may be given several times."""
        return [value for key, value in self.form if key == name]

    def seconds(self, name: str, default: float) -> float:
        """A parameter that counts seconds or milliseconds."""
        value = self.get(name)
        return float(value) if value else default

    @property
    def detects_machines(self) -> bool:
        """Whether Twilio listens for a machine; with digits to send it does not."""
        return bool(self.get("MachineDetection")) and not self.get("SendDigits")

    @property
    def waits_for_detection(self) -> bool:
        """Whether its TwiML begins only when detection knows who has answered."""
        return self.detects_machines and self.get("AsyncAmd") != "true"

    def is_recorded(self) -> bool:
        """Whether the call is recorded from its start."""
        return self.get("Record") == "true"
