"""docs/arguments.md, made of what the code says of its arguments: ``python -m tests.support.arguments_page``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from airflow_provider_twiliocall.arguments.call_arguments import CALL_ARGUMENTS, CallArguments
from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier
from airflow_provider_twiliocall.operators.call_campaign import CallCampaignOperator
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

PAGE = Path(__file__).parents[2] / "docs" / "arguments.md"

_BEGIN = """\
# Arguments

<!-- Made by `python -m tests.support.arguments_page` of the `:param:` lines in the code: change those. -->

`CreateCallOperator`, `CallCampaignOperator`, `EscalateCallOperator` and `TwilioCallNotifier` take the same arguments of
a call. The first table lists them. Each also has arguments of its own, such as whom to call.

Give exactly one of `message`, `audio_url`, `url`, `twiml` and `application_sid`. Only an alert needs none of them:
it has a default message.

An argument without a template is checked when the DAG is parsed. The others are checked when the task runs, before
anything is dialled. One error names all mistakes. `*` marks arguments that may be templates.

The operators also take all arguments of Airflow's `BaseOperator`. But `timeout` is the
[time to ring](calls.md#timeout-in-default_args) here.

More about: [national numbers](connection.md#national-numbers), [`delivery`](reliability.md#when-the-answer-is-lost),
[`when_killed`](reliability.md#when-the-task-dies), [Calls in a DAG](calls.md), [Campaigns](campaigns.md), and call
windows in [Reminders](reminders.md).
"""


def described_in(docstring: str) -> dict[str, str]:
    """Return what a docstring's ``:param:`` lines say, by name, each on one line."""
    found = re.findall(r"^:param (\w+):(.*?)(?=^:|\Z)", inspect.cleandoc(docstring), re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def page() -> str:
    """Return the page as it has to be."""
    parts = [_BEGIN, _table("Of a call", described_in(CallArguments.__doc__ or ""), {*CALL_ARGUMENTS})]
    for taker in (CreateCallOperator, CallCampaignOperator, EscalateCallOperator, TwilioCallNotifier):
        described = described_in(taker.__doc__ or "")
        own = {name: text for name, text in described.items() if name not in CALL_ARGUMENTS}
        parts.append(_table(f"Of `{taker.__name__}`", own, {*taker.template_fields}))
    return "\n".join(parts)


def _table(title: str, described: dict[str, str], templated: set[str]) -> str:
    rows = [
        f"| `{name}`{' *' if name in templated else ''} | {_as_markdown(text)} |"
        for name, text in described.items()
    ]
    return "\n".join([f"## {title}", "", "| argument | meaning |", "|---|---|", *rows, ""])


def _as_markdown(text: str) -> str:
    return re.sub(r":\w+:`\.?([^`]*)`", r"`\1`", text.replace("``", "`")).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
