"""What each row of a campaign asks for: its own arguments, and those for all calls where it has none."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.arguments.call_arguments import (
    CALL_ARGUMENTS,
    CREATE_CALL_FIELDS,
    SPEECH_FIELDS,
)
from airflow_provider_twiliocall.arguments.call_params import mask_secrets, params_from_arguments
from airflow_provider_twiliocall.arguments.checks import (
    check_duration,
    check_max_dials,
    check_redial_on,
    read_redial_on,
    read_seconds,
)
from airflow_provider_twiliocall.arguments.content import SAYS_WHAT
from airflow_provider_twiliocall.arguments.literals import problems_of
from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.rules import DialRules
from airflow_provider_twiliocall.calls.redial import Redial
from airflow_provider_twiliocall.campaigns.rows import Row
from airflow_provider_twiliocall.twilio.call import answerers
from airflow_provider_twiliocall.twilio.callee import Callee
from airflow_provider_twiliocall.twilio.list_text import words_in
from airflow_provider_twiliocall.twilio.params import CallParamsError, CreateCallParams

if TYPE_CHECKING:
    from airflow_provider_twiliocall.campaigns.campaign_task import CampaignTask
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

# What says when to call, and how often, beside what is asked of Twilio.
_RULES = ("accept_answered_by", "call_window", "expires_after", "max_dials", "redial_after", "redial_on")

ROW_ARGUMENTS: tuple[str, ...] = (
    "to",
    *(name for name in CALL_ARGUMENTS if name != "account_sid"),
    *_RULES,
)
"""What a row may say."""

FOR_ALL_CALLS = (
    "account_sid",
    "deferrable",
    "delivery",
    "do_not_call",
    "on_outside_window",
    "poll_interval",
    "queue_timeout",
    "twilio_conn_id",
    "wait_for_completion",
    "when_killed",
)
"""What an author of single calls may look for in a row, and is the operator's."""


class CampaignCalls:
    """The calls of a campaign, by the index of their row, from 0.

    :param asked: the arguments for all calls, as rendered
    :param run_after: Unix time from which ``expires_after`` counts
    """

    def __init__(
        self, asked: CampaignTask, rows: Sequence[Row], hook: TwilioCallHook, *, run_after: float
    ) -> None:
        self._asked = asked
        self._rows = rows
        self._hook = hook
        self._run_after = run_after
        self._country = hook.settings.default_country
        self._common = {name: getattr(asked, name) for name in (*CREATE_CALL_FIELDS[1:], *SPEECH_FIELDS)}
        self._common_without_content = {
            name: None if name in SAYS_WHAT else value for name, value in self._common.items()
        }
        mask_secrets(asked)
        for row in rows:
            mask_secrets(_Secrets(row.arguments))

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> Row:
        """Return the row itself."""
        return self._rows[index]

    def named(self, index: int) -> str:
        """Return how a person finds the row: its number and its id."""
        row = self._rows[index]
        return f"row {row.number}" if row.id is None else f"row {row.number} (id {row.id:.40})"

    def params(self, index: int) -> CreateCallParams:
        """Return the parameters of the call, with the number to call from.

        :raises CallParamsError: names all mistakes
        :raises TwilioConnectionError: there is no number to call from
        """
        own = self._rows[index].arguments
        common = self._common if own.keys().isdisjoint(SAYS_WHAT) else self._common_without_content
        arguments = {
            "to": None,
            **common,
            **{name: value for name, value in own.items() if name not in _RULES},
        }
        return self._hook.with_caller_id(
            params_from_arguments(
                {name: arguments[name] for name in CREATE_CALL_FIELDS},
                {name: arguments[name] for name in SPEECH_FIELDS},
                accept_answered_by=self._rule(index, "accept_answered_by"),
                default_country=self._country,
            )
        )

    def rules(self, index: int, to: str) -> DialRules:
        """Return when its phone may ring.

        :param to: in E.164
        """
        window = self._rule(index, "call_window")
        expires_after = self._rule(index, "expires_after")
        return DialRules(
            CallWindow.from_value(window).for_callee(to) if self.has_window(index) else None,
            math.inf
            if expires_after is None
            else self._run_after + read_seconds("expires_after", expires_after),
        )

    def has_window(self, index: int) -> bool:
        """Say whether its phone may ring at some hours only."""
        return self._asked.has_window or "call_window" in self._rows[index].arguments

    def accepted(self, index: int) -> frozenset[str] | None:
        """Return who may have answered; None for anybody."""
        accepted = answerers(self._rule(index, "accept_answered_by"))
        return None if accepted is None else frozenset(accepted)

    def redial(self, index: int) -> Redial:
        """Return after which endings it is dialled again."""
        return Redial(
            _whole(self._rule(index, "max_dials")),
            read_seconds("redial_after", self._rule(index, "redial_after")),
            frozenset(read_redial_on(_words(self._rule(index, "redial_on")))),
        )

    @property
    def may_redial(self) -> bool:
        """Whether any row may be dialled more than once."""
        return self._asked.max_dials != 1 or any("max_dials" in row.arguments for row in self._rows)

    def _rule(self, index: int, name: str) -> Any:
        own = self._rows[index].arguments
        return own[name] if name in own else getattr(self._asked, name)

    # Before the first ring --------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Say what is wrong with each row, in its order; nothing may be dialled where something is."""
        return [
            f"{self.named(index)}: {problem}"
            for index in range(len(self))
            for problem in self._problems_of(index)
        ]

    def _problems_of(self, index: int) -> list[str]:
        own = self._rows[index].arguments
        unknown = [_unknown(name) for name in own if name not in ROW_ARGUMENTS]
        if unknown:
            return unknown
        if "to" not in own:
            return ["it has no `to`: give a number such as +15551234567"]
        try:
            params = self.params(index)
        except CallParamsError as error:
            return [str(problem) for problem in error.problems]
        checks: dict[str, Callable[[], object]] = {
            "call_window": lambda: self.rules(index, params.to),
            "expires_after": lambda: check_duration("expires_after", own["expires_after"]),
            "max_dials": lambda: check_max_dials(_whole(own["max_dials"]), waits=True),
            "redial_after": lambda: check_duration("redial_after", own["redial_after"], or_zero=True),
            "redial_on": lambda: check_redial_on(
                _words(own["redial_on"]), self._rule(index, "accept_answered_by")
            ),
        }
        return problems_of(*(check for name, check in checks.items() if name in own or name == "call_window"))

    def duplicates(self) -> dict[int, int]:
        """Return the rows whose callee an earlier row has, each with the first one that has it."""
        first: dict[str, int] = {}
        duplicates = {}
        for index, row in enumerate(self._rows):
            callee = self._callee(row)
            if (earlier := first.setdefault(callee, index)) != index:
                duplicates[index] = earlier
        return duplicates

    def shared_ids(self) -> list[str]:
        """Return the ids that several rows have."""
        counts = Counter(row.id for row in self._rows if row.id is not None)
        return [each for each, count in counts.items() if count > 1]

    def _callee(self, row: Row) -> str:
        to = row.arguments.get("to")
        try:
            return Callee.of(to, default_country=self._country).address
        except ValueError:
            # It is refused at its turn.
            return str(to)

    def digest(self, salt: str, rounds: int) -> str:
        """Return a digest of whom the rows are about, in their order: a next try must dial no other list.

        Slow and salted, so that who reads it cannot try numbers. A retry may render the message differently.
        """
        listed = hashlib.sha256()
        for line in self._identities():
            listed.update(line.encode())
        return hashlib.pbkdf2_hmac("sha256", listed.digest(), salt.encode(), rounds).hex()

    def _identities(self) -> Iterator[str]:
        settings = self._hook.settings
        yield f"{self._hook.account_sid or settings.account_sid}|{settings.default_from}|{self._asked.from_}\n"
        for row in self._rows:
            yield f"{row.arguments.get('to')}|{row.arguments.get('from_')}|{row.id}\n"


class _Secrets:
    """The secrets of a row, as :func:`mask_secrets` looks for them."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments

    def __getattr__(self, name: str) -> Any:
        return self._arguments.get(name)


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    if name in FOR_ALL_CALLS:
        return f"{name} is for all calls of a campaign: give it to the operator, and not to a row"
    nearest = get_close_matches(name, ("id", *ROW_ARGUMENTS), n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else "leave it out"
    return f"a row has no {name!r:.60}: {hint}"


def _whole(value: Any) -> Any:
    """Read a whole number that a file has as text; anything else is left to the check."""
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


def _words(value: Any) -> Any:
    return words_in(value) if isinstance(value, str) else value
