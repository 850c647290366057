"""The task of a campaign, as this room sees it: that is :class:`.CallCampaignOperator`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook


class CampaignTask(Protocol):
    """Its arguments, as rendered, and what it can do."""

    calls: Any
    pace: float
    max_queued: int
    results_path: str | None
    restart: bool
    on_duplicate: Literal["skip", "dial", "fail"]
    twilio_conn_id: str
    account_sid: str | None
    from_: str | None
    deferrable: bool
    poll_interval: float
    has_window: bool
    on_outside_window: Literal["wait", "skip"]
    do_not_call: Any
    has_do_not_call: bool
    max_dials: int
    redial_after: float | timedelta
    delivery: Delivery
    when_killed: Literal["cancel", "leave"]

    @property
    def hook(self) -> TwilioCallHook:
        """The hook, of the connection and account given."""

    @property
    def queue_timeout_s(self) -> float:
        """How long a call may stay in Twilio's queue, in seconds."""

    def new_hook(self) -> TwilioCallHook:
        """Return a hook that fetches the connection again."""

    def defer(self, *, trigger: BaseTrigger, method_name: str, timeout: timedelta | None) -> NoReturn:
        """Hand the worker back."""
