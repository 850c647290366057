"""From an operator's rendered arguments to the question that its call asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_twiliocall.answers.question import PATIENCE_S, Question
from airflow_provider_twiliocall.arguments.call_params import LONGEST_CALL_S, time_limit_for
from airflow_provider_twiliocall.arguments.options import PASS_ON, read_answer_words
from airflow_provider_twiliocall.arguments.redaction import redacted
from airflow_provider_twiliocall.arguments.templated import given, is_blank
from airflow_provider_twiliocall.twilio.twiml import message_to_twiml, verbs_of
from airflow_provider_twiliocall.twilio.twiml_check import TWIML_MAX_CHARACTERS

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

# Of an address without the receiver's own: connection, task instance, token.
_LONGEST_PATH = 200

_NO_RECEIVER = (
    "a key needs an address under which Twilio reaches Airflow's API server: set the extra webhook_url of the "
    "connection {conn_id!r}"
)


class AskingTask(Protocol):
    """The arguments of an operator that asks, as rendered."""

    twilio_conn_id: str
    message: str | None
    language: str | None
    voice: str | None
    repeat: int | str | None
    time_limit: Any
    machine_detection_timeout: Any
    ask_times: int
    answer_words: Mapping[str, str] | str | None

    @property
    def hook(self) -> TwilioCallHook:
        """Of the task's connection."""


def question_of(
    task: AskingTask,
    params: CreateCallParams,
    token: str,
    options: Mapping[str, str],
    english: Mapping[str, str],
) -> Question:
    """Return the question.

    :param params: with the TwiML of the message or recording
    :param token: of the step of the task
    :param options: what each key means
    :param english: what is said where the author gives nothing
    :raises ValueError: it cannot be asked; says what to fix
    """
    language, voice = given(task.language), given(task.voice)
    words = read_answer_words(task.answer_words, english, language=language)

    def say(text: str) -> str:
        return verbs_of(message_to_twiml(redacted(text), voice=voice, language=language, verbatim=True))

    return Question(
        token,
        options,
        verbs_of(params.twiml or "") + say(words["prompt"]),
        say(words["thanks"]),
        say(words["goodbye"]),
        task.ask_times,
        {PASS_ON: say(words["passed"])} if "passed" in words else {},
    )


def params_that_ask(
    task: AskingTask, params: CreateCallParams, options: Mapping[str, str], english: Mapping[str, str]
) -> CreateCallParams:
    """Return the parameters with time for every repetition of the question; the TwiML is still that of the message.

    :param options: as of :func:`question_of`, and so are the others
    :raises ValueError: the question cannot be asked; says what to fix
    """
    webhook = task.hook.settings.webhook
    if webhook is None:
        why = "".join(
            f". It {warning}" for warning in task.hook.settings.warnings if "webhook_url" in warning
        )
        raise ValueError(_NO_RECEIVER.format(conn_id=task.twilio_conn_id) + why)
    question = question_of(task, params, "", options, english)
    excess = len(question.twiml(webhook.receiver_url + "x" * _LONGEST_PATH)) - TWIML_MAX_CHARACTERS
    if excess > 0:
        raise ValueError(
            f"the message and the question together are {excess} characters too long for the {TWIML_MAX_CHARACTERS} "
            "that Twilio takes: shorten the message"
        )
    if not task.message or not is_blank(task.time_limit):
        return params
    words = read_answer_words(task.answer_words, english, language=given(task.language))
    times = task.ask_times * int(task.repeat or 1)
    said = time_limit_for(f"{task.message} {words['prompt']}", task.machine_detection_timeout, repeat=times)
    return params.replace(time_limit=min(LONGEST_CALL_S, said + task.ask_times * PATIENCE_S))
