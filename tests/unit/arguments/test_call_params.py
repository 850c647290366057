"""From an operator's arguments to parameters: what the callee hears, who may answer, all mistakes at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.call_params import params_from_arguments, time_limit_for
from airflow_provider_twiliocall.twilio.params import CallParamsError, CreateCallParams

TWIML = "<Response><Hangup/></Response>"
URL = "https://example.com/twiml"
APPLICATION = "AP" + "a" * 32


def params(
    *, accept_answered_by: Any = None, default_country: str | None = None, **given: Any
) -> CreateCallParams:
    said = {name: given.pop(name, None) for name in SPEECH_FIELDS}
    arguments: dict[str, Any] = dict.fromkeys(CREATE_CALL_FIELDS) | {"to": "+15551234567"} | given
    return params_from_arguments(
        arguments, said, accept_answered_by=accept_answered_by, default_country=default_country
    )


def problems(**given: Any) -> list[str]:
    with pytest.raises(CallParamsError) as refused:
        params(**given)
    return [problem.text for problem in refused.value.problems]


def test_a_message_becomes_twiml() -> None:
    assert "<Say>Pump 3 &amp; 4 failed</Say>" in str(params(message="Pump 3 & 4 failed").twiml)


@pytest.mark.parametrize("given", [{"url": URL}, {"twiml": TWIML}, {"application_sid": APPLICATION}])
def test_what_says_something_else_is_passed_on(given: dict[str, str]) -> None:
    assert params(**given).model_dump(exclude_none=True) == {"to": "+15551234567", **given}


def test_a_default_country_makes_numbers_of_national_ones() -> None:
    given = {"to": "06 12 34 56 78", "from_": 33600000000, "caller_id": "01 23 45 67 89"}
    national = params(message="hello", default_country="FR", **given)
    assert (national.to, national.from_, national.caller_id) == (
        "+33612345678",
        "+33600000000",
        "+33123456789",
    )


def test_without_a_default_country_national_numbers_are_refused() -> None:
    assert "is not E.164" in problems(message="hello", to="06 12 34 56 78")[0]


def test_a_national_number_that_is_refused_is_told_of_once_and_cut() -> None:
    assert problems(message="hello", to="06 12 34 56 78 9", default_country="FR") == [
        "to='0* ** ** *6 78 9' is too long for a number with the country code +33: is it two numbers in one, or "
        "with an extension? (Twilio error 21211)"
    ]


def test_a_default_country_leaves_clients_and_sip_users_as_they_are() -> None:
    called = params(message="hello", to="sip:bob@example.com", from_="0612345678", default_country="FR")
    assert (called.to, called.from_) == ("sip:bob@example.com", "0612345678")
    assert params(message="hello", to="client:0612345678", default_country="FR").to == "client:0612345678"


def test_nothing_to_hear_is_refused_once() -> None:
    assert problems() == [
        "one of message, audio_url, url, twiml and application_sid has to say what the callee hears"
    ]


@pytest.mark.parametrize("other", [{"url": URL}, {"twiml": TWIML}, {"application_sid": APPLICATION}])
def test_a_message_and_another_source_exclude_one_another(other: dict[str, str]) -> None:
    name = next(iter(other))
    assert problems(message="hello", **other) == [
        f"message and {name} exclude one another: keep the one the callee shall hear"
    ]


def test_a_recording_becomes_twiml_that_plays_it() -> None:
    played = params(audio_url="https://example.com/alarm.mp3", repeat="2")

    assert str(played.twiml).count("<Play>https://example.com/alarm.mp3</Play>") == 2
    assert played.time_limit is None


def test_a_message_and_a_recording_exclude_one_another() -> None:
    assert problems(message="hello", audio_url="https://example.com/alarm.mp3") == [
        "message and audio_url exclude one another: keep the one the callee shall hear"
    ]


def test_a_message_is_said_as_asked() -> None:
    said = str(params(message="load_table", voice="Polly.Lea", language="fr-FR", repeat=2).twiml)

    assert said.count('<Say voice="Polly.Lea" language="fr-FR">load table</Say>') == 2


@pytest.mark.parametrize(
    ("verbatim", "words"), [("True", "load_table"), (False, "load table"), ("", "load table")]
)
def test_verbatim_is_read_as_templates_render_it(verbatim: Any, words: str) -> None:
    assert f"<Say>{words}</Say>" in str(params(message="load_table", verbatim=verbatim).twiml)


def test_how_to_say_it_is_refused_where_nothing_is_said() -> None:
    assert problems(url=URL, voice="Polly.Lea", repeat=3) == [
        "voice has a meaning only for a message: leave it out (it may also come from default_args)",
        "repeat has a meaning only for a message or audio_url: leave it out (it may also come from default_args)",
    ]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"repeat": "often"}, "repeat='often' is not a number of times"),
        ({"voice": "<Polly>"}, "voice='<Polly>' is not the name of a voice"),
        ({"language": "french!"}, "language='french!' is not a language"),
        ({"verbatim": "perhaps"}, "verbatim='perhaps' is neither True nor False"),
    ],
)
def test_a_wrong_way_of_speaking_is_named(given: dict[str, str], problem: str) -> None:
    assert problem in problems(message="hello", **given)[0]


def test_two_sources_without_a_message_are_refused() -> None:
    assert "url and twiml are given" in problems(url=URL, twiml=TWIML)[0]


@pytest.mark.parametrize("blank", ["", "   ", "\n", "None"])
def test_a_message_that_rendered_to_nothing_is_refused(blank: str) -> None:
    assert problems(message=blank) == [
        "message is empty: give the words to say, and check whether a template rendered to nothing"
    ]


@pytest.mark.parametrize("blank", ["", "None"])
def test_a_message_that_rendered_to_nothing_gives_way_to_a_url(blank: str) -> None:
    assert params(message=blank, url=URL).url == URL


@pytest.mark.parametrize("blank", ["", "None"])
def test_a_url_that_rendered_to_nothing_gives_way_to_the_message(blank: str) -> None:
    assert "hello" in str(params(message="hello", url=blank).twiml)


@pytest.mark.parametrize("value", [5, ["hello"], {"say": "hello"}])
def test_a_message_that_is_no_text_is_refused(value: Any) -> None:
    assert "not text: give the words to say as a string" in problems(message=value)[0]


def test_all_mistakes_are_told_at_once() -> None:
    told = "\n".join(
        problems(
            to="5551234567",
            message="",
            timeout="3600",
            send_digits="x",
            machine_detection="Enabled",
            accept_answered_by="humen",
        )
    )
    for part in ("to=", "message", "timeout=", "send_digits=", "machine_detection=", "'humen'"):
        assert part in told


@pytest.mark.parametrize("accepted", [{"human"}, ["human"], "human", "['human', 'unknown']"])
def test_a_wish_about_the_answerer_turns_on_detection_until_the_beep(accepted: Any) -> None:
    assert params(message="hi", accept_answered_by=accepted).machine_detection == "DetectMessageEnd"


def test_another_detection_the_author_chose_is_kept() -> None:
    chosen = params(message="hi", accept_answered_by={"human"}, machine_detection="Enable")
    assert chosen.machine_detection == "Enable"


def test_no_wish_turns_on_no_detection() -> None:
    assert params(message="hi", accept_answered_by=None).machine_detection is None


@pytest.mark.parametrize("blank", ["", "None"])
def test_a_wish_that_rendered_to_nothing_is_refused_and_not_taken_for_anybody(blank: str) -> None:
    assert "names nobody" in problems(message="hi", accept_answered_by=blank)[0]


def test_a_wish_for_a_machines_first_word_turns_on_the_detection_that_reports_it() -> None:
    assert params(message="hi", accept_answered_by={"machine_start"}).machine_detection == "Enable"


def test_digits_to_send_and_a_wish_about_the_answerer_contradict_each_other() -> None:
    told = problems(message="hi", accept_answered_by={"human"}, send_digits="1w2")
    assert told == [
        "accept_answered_by needs answering machine detection, which Twilio switches off for calls with "
        "send_digits: drop one of the two"
    ]


def test_a_misspelt_answerer_is_refused_with_the_nearest_word() -> None:
    told = problems(message="hi", accept_answered_by={"machine_strat"})
    assert told == ["accept_answered_by: Twilio never says 'machine_strat': did you mean 'machine_start'?"]


def test_values_as_templates_render_them_are_understood() -> None:
    rendered = params(message="hi", timeout="30", record="True", status_callback_event="['ringing']")
    assert (rendered.timeout, rendered.record, rendered.status_callback_event) == (30, True, ("ringing",))


# How long a message may last


@pytest.mark.parametrize(
    ("length", "limit"), [(1, 30 + 60 + 1), (5, 30 + 60 + 1), (100, 30 + 60 + 20), (1000, 30 + 60 + 200)]
)
def test_a_message_may_last_as_long_as_its_words_take_twice_over(length: int, limit: int) -> None:
    assert time_limit_for("x" * length) == limit
    assert params(message="x" * length).time_limit == limit


@pytest.mark.parametrize(
    ("detection_timeout", "listening"),
    [
        (59, 59),
        ("59", 59),
        (" 59 ", 59),
        (timedelta(seconds=59), 59),
        (float("inf"), 14_400 - 80),
        (3, 30),
        (None, 30),
        ("None", 30),
        ("soon", 30),
    ],
)
def test_a_message_may_last_longer_by_as_long_as_twilio_listens_for_a_machine(
    detection_timeout: Any, listening: int
) -> None:
    assert time_limit_for("x" * 100, detection_timeout) == listening + 20 + 60


@pytest.mark.parametrize("given", [20, "20", 14_400])
def test_a_limit_that_the_author_gives_wins(given: Any) -> None:
    assert params(message="hello", time_limit=given).time_limit == int(given)


@pytest.mark.parametrize("blank", [None, "", "None"])
def test_a_limit_that_rendered_to_nothing_is_none_of_the_authors(blank: Any) -> None:
    assert params(message="hello", time_limit=blank).time_limit == time_limit_for("hello")


@pytest.mark.parametrize("given", [{"url": URL}, {"twiml": TWIML}, {"application_sid": APPLICATION}])
def test_an_authors_own_conversation_may_last_as_long_as_it_likes(given: dict[str, str]) -> None:
    assert params(**given).time_limit is None
    assert params(message="None", **given).time_limit is None


def test_words_that_are_cut_lengthen_no_call() -> None:
    assert time_limit_for("word " * 100_000) == time_limit_for("word " * 1_000)


def test_a_message_that_is_repeated_may_last_longer() -> None:
    assert params(message="x" * 100, repeat="3").time_limit == 30 + 2 * (3 * 10 + 2) + 60


def test_a_limit_is_never_above_what_twilio_takes() -> None:
    assert params(message="x" * 3000, repeat=1000).time_limit == 14_400
