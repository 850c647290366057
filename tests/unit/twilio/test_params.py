"""What can be asked of a call: templates' text is understood, and every mistake is told with its fix."""

from __future__ import annotations

import copy
import logging
import pickle
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS
from airflow_provider_twiliocall.twilio.params import CallParamsError, CreateCallParams
from tests.support.wrong_arguments import FROM, SID, TO, TWIML, WRONG
from tests.unit.examples import reproducible


def params(**arguments: Any) -> CreateCallParams:
    """Build parameters of a call that is in order apart from the arguments."""
    return CreateCallParams(**{"to": TO, "from_": FROM, "twiml": TWIML, **arguments})


def problems_of(**arguments: Any) -> list[str]:
    with pytest.raises(CallParamsError) as refused:
        params(**arguments)
    return [problem.text for problem in refused.value.problems]


def warnings_of(caplog: pytest.LogCaptureFixture, **arguments: Any) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        params(**arguments)
    return caplog.messages


@pytest.mark.parametrize("case", WRONG, ids=[f"{next(iter(case[0]))}-{n}" for n, case in enumerate(WRONG)])
def test_a_wrong_value_is_told_on_one_line_with_field_value_rule_and_fix(case):
    wrong, fragments, *rest = case
    problems = problems_of(**wrong, **(rest[0] if rest else {}))
    assert len(problems) == 1
    assert [fragment for fragment in fragments if fragment not in problems[0]] == []
    assert len(problems[0].splitlines()) == 1


def test_every_field_has_a_wrong_value():
    assert {field for case in WRONG for field in case[0]} == set(CREATE_CALL_FIELDS)


def test_all_mistakes_are_told_at_once_one_line_each():
    with pytest.raises(CallParamsError) as refused:
        CreateCallParams(to="5551234567", timeout=3600, record="maybe", byoc="x", tiemout=3, method="PUT")
    fields = [line.split("=")[0].split(" ")[0] for line in str(refused.value).splitlines()]
    assert fields == ["tiemout", "to", "method", "timeout", "record", "byoc", "none"]
    assert [problem.text for problem in refused.value.problems] == str(refused.value).splitlines()


def test_the_error_is_a_value_error_without_a_trace_of_pydantic():
    with pytest.raises(ValueError) as refused:
        CreateCallParams(to=5, timeout="x", call_token=["secret"], record="maybe", method="x", passports="")
    message = str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert "secret" not in message
    assert [
        word for word in ("pydantic", "validation error", "Input should", "input_value") if word in message
    ] == []


def test_the_error_survives_pickling():
    with pytest.raises(CallParamsError) as refused:
        CreateCallParams(to="5551234567", record="maybe")
    copied = pickle.loads(pickle.dumps(refused.value))
    assert copied.problems == refused.value.problems
    assert str(copied) == str(refused.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tiemout", "did you mean timeout?"),
        ("statuscallback", "did you mean status_callback?"),
        ("StatusCallbackEvent", "did you mean status_callback_event?"),
        ("From", "did you mean from_?"),
        ("sip_auth_pasword", "did you mean sip_auth_password?"),
        ("machine_detecton", "did you mean machine_detection?"),
        ("xyzzy", "leave it out"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_and_without_its_value(name, hint):
    (problem,) = problems_of(**{name: "hunter2"})
    assert problem == f"{name} is not an argument of a call, and Twilio would silently ignore it: {hint}"


@pytest.mark.parametrize(
    ("field", "rendered", "value"),
    [
        ("timeout", "30", 30),
        ("timeout", " 30\n", 30),
        ("timeout", 30.0, 30),
        ("time_limit", "3600", 3600),
        ("time_limit", timedelta(hours=1), 3600),
        ("timeout", timedelta(seconds=30), 30),
        ("timeout", "PT30S", 30),
        ("machine_detection_timeout", timedelta(seconds=20), 20),
        ("machine_detection_timeout", "30", 30),
        ("record", "True", True),
        ("record", "true", True),
        ("record", "False", False),
        ("record", "0", False),
        ("async_amd", True, "true"),
        ("async_amd", "True", "true"),
        ("async_amd", "false", "false"),
        ("async_amd", False, "false"),
        ("async_amd", "no", "false"),
        ("method", "get", "GET"),
        ("status_callback_method", "Post", "POST"),
        ("status_callback_event", "ringing", ("ringing",)),
        ("status_callback_event", "ringing, completed", ("ringing", "completed")),
        ("status_callback_event", "ringing completed", ("ringing", "completed")),
        ("status_callback_event", '["ringing", "completed"]', ("ringing", "completed")),
        ("status_callback_event", "['ringing', 'completed']", ("ringing", "completed")),
        ("recording_status_callback_event", "('absent',)", ("absent",)),
        ("recording_status_callback_event", ["absent"], ("absent",)),
        ("to", "+1 555-123.4567 ", "+15551234567"),
        ("from_", "+1 (555) 765 4321", "+15557654321"),
        ("caller_id", "+1 555 765 4321", "+15557654321"),
        ("caller_id", "name@company.com", "name@company.com"),
        ("caller_id", "client:alice", "client:alice"),
        ("send_digits", "W1234#", "W1234#"),
        ("twiml", f"\n{TWIML}\n", TWIML),
        ("sip_auth_password", " blanks are part of it ", " blanks are part of it "),
    ],
)
def test_what_a_template_renders_is_understood(field, rendered, value):
    assert getattr(params(**{field: rendered}), field) == value


@pytest.mark.parametrize("nothing", [None, "", "  \n", "None", [], ()])
@pytest.mark.parametrize("field", [name for name in CREATE_CALL_FIELDS if name not in ("to", "twiml")])
def test_what_renders_to_nothing_is_unset_and_not_sent(field, nothing):
    assert getattr(params(**{field: nothing}), field) is None
    assert params(**{field: nothing}).to_form() == params(**{field: None}).to_form()


@pytest.mark.parametrize(
    ("to", "from_"),
    [
        ("+15005550006", "+15005550006"[:-1] + "5"),
        ("client:alice", "+15557654321"),
        ("client:alice?room=1", "client:bob"),
        ("sip:alice@example.com", "+1 555 765 4321"),
        ("sip:alice@example.com;transport=tcp?header=1", "alice"),
        ("sip:alice@example.com", "1000"),
        ("sip:alice@example.com", "sip:bob@example.com"),
        ("+15551234567", None),
    ],
)
def test_callers_and_callees_of_every_kind_pass(to, from_):
    assert params(to=to, from_=from_).to == to


def test_from_may_be_given_as_from_in_a_mapping():
    given_as_from = CreateCallParams.model_validate({"to": TO, "from": FROM, "twiml": TWIML})
    assert given_as_from == params()
    assert ("From", FROM) in given_as_from.to_form()


def test_from_and_from_underscore_together_are_refused():
    assert problems_of(**{"from": FROM}) == ["from and from_ are the same argument: give one of them"]
    assert CreateCallParams(**{"to": TO, "from": FROM, "from_": None, "twiml": TWIML}) == params()


def test_a_model_validates_as_itself_and_anything_but_a_mapping_is_refused():
    original = params()
    assert CreateCallParams.model_validate(original) is original
    with pytest.raises(CallParamsError, match="the arguments of a call are list: give a mapping by name"):
        CreateCallParams.model_validate([TO])
    with pytest.raises(CallParamsError, match="5 is not an argument of a call"):
        CreateCallParams.model_validate({"to": TO, "twiml": TWIML, 5: "x"})


def test_model_validate_tells_mistakes_as_the_constructor_does():
    with pytest.raises(CallParamsError) as refused:
        CreateCallParams.model_validate({"to": "5551234567", "twiml": TWIML})
    assert str(refused.value).splitlines() == problems_of(to="5551234567", from_=None)


def test_the_form_repeats_the_key_of_a_list_and_leaves_out_what_is_unset_and_the_account():
    form = params(
        account_sid=f"AC{SID}", record=False, timeout=5, status_callback_event=["ringing", "answered"]
    )
    assert form.to_form() == [
        ("To", TO),
        ("From", FROM),
        ("Twiml", TWIML),
        ("StatusCallbackEvent", "ringing"),
        ("StatusCallbackEvent", "answered"),
        ("Timeout", "5"),
        ("Record", "false"),
    ]


def test_repr_shows_neither_secrets_nor_full_numbers():
    shown = params(
        sip_auth_username="ann",
        sip_auth_password="hunter2",
        call_token="token-of-a-call",
        caller_id="+15550001111",
        timeout=30,
        twiml=f"<Response><Dial>{TO}</Dial></Response>",
        status_callback="https://user:letmein@example.com/?to=%2B15551234567",
    )
    assert repr(shown) == (
        "CreateCallParams(to='+1*******4567', from_='+1*******4321', "
        "twiml='<Response><Dial>+1*******4567</Dial></Response>', "
        "status_callback='https://***@example.com/?to=+1*******4567', timeout=30, "
        "sip_auth_username='ann', sip_auth_password='***', caller_id='+1*******1111', call_token='***')"
    )
    assert "hunter2" not in f"{shown}"
    assert "5551234" not in f"{shown}"


def test_repr_shows_clients_and_sip_users_by_their_first_letter():
    assert "'sip:a****@example.com'" in repr(params(to="sip:alice@example.com"))


def test_errors_hide_the_password_of_a_url_and_numbers_inside_other_arguments():
    (problem,) = problems_of(status_callback="https://user:letmein@my_host.com/")
    assert "letmein" not in problem
    (problem,) = problems_of(twiml=f"<Response><Dial>{TO}</Response>")
    assert TO not in problem


def test_replace_gives_changed_parameters_validated_again_and_leaves_the_original():
    original = params(from_=None, timeout=30)
    assert original.replace(from_="+1 555 765 4321") == params(timeout=30)
    assert original.replace(**{"from": FROM}) == params(timeout=30)
    assert original.replace(timeout=None).timeout is None
    assert original.replace(twiml=None, url="https://example.com/").url == "https://example.com/"
    assert original.from_ is None
    with pytest.raises(CallParamsError, match="to and from_ are both"):
        original.replace(from_=TO)
    with pytest.raises(CallParamsError, match="tiemout is not an argument of a call"):
        original.replace(tiemout=5)


def test_the_model_is_frozen_hashable_and_can_be_copied_and_pickled():
    original = params(status_callback_event=["ringing"], record=True)
    with pytest.raises(ValueError, match="frozen"):
        original.to = FROM
    assert {original, copy.deepcopy(original), pickle.loads(pickle.dumps(original))} == {original}
    assert original.replace() == original


APPLICATION = {"twiml": None, "application_sid": f"AP{SID}"}
HOOK = "https://example.com/"


@pytest.mark.parametrize(
    ("arguments", "warning"),
    [
        (
            {**APPLICATION, "method": "GET", "status_callback": HOOK, "status_callback_event": "ringing"},
            "ignores method, status_callback, status_callback_event when application_sid is given: set them",
        ),
        (
            {**APPLICATION, "fallback_url": HOOK, "fallback_method": "GET"},
            "Twilio ignores fallback_url, fallback_method when application_sid is given",
        ),
        (
            {"send_digits": "1", "machine_detection": "Enable"},
            "Twilio ignores machine_detection when send_digits is given: leave one of them out",
        ),
        (
            {"machine_detection": "Enable", "machine_detection_timeout": 2},
            "machine_detection_timeout=2 is outside 3 to 59 seconds: Twilio may refuse or change it",
        ),
        (
            {"machine_detection": "Enable", "machine_detection_timeout": 60},
            "machine_detection_timeout=60 is outside 3 to 59 seconds",
        ),
        (
            {"machine_detection": "Enable", "async_amd": "false", "async_amd_status_callback": HOOK},
            "Twilio ignores async_amd_status_callback without async_amd",
        ),
        ({"method": "GET"}, "Twilio ignores method without url: give url too, or leave method out"),
        ({"fallback_method": "GET"}, "ignores fallback_method without fallback_url"),
        ({"status_callback_event": "ringing"}, "ignores status_callback_event without status_callback"),
        ({"status_callback_method": "GET"}, "ignores status_callback_method without status_callback"),
        ({"recording_channels": "dual"}, "ignores recording_channels without record"),
        ({"recording_track": "both", "record": "False"}, "ignores recording_track without record"),
        ({"machine_detection_timeout": 30}, "ignores machine_detection_timeout without machine_detection"),
        ({"async_amd": True}, "ignores async_amd without machine_detection"),
        ({"sip_auth_password": "hunter2"}, "ignores sip_auth_password without sip_auth_username"),
        (
            {"url": None, "twiml": "<Response><say>hello</say></Response>"},
            "Twilio ignores <say> in the <Response> of twiml, because it does not know it there: write <Say>",
        ),
    ],
)
def test_what_twilio_would_silently_ignore_is_logged_and_not_refused(caplog, arguments, warning):
    (logged,) = warnings_of(caplog, **arguments)
    assert warning in logged


def test_a_call_in_order_logs_no_warning(caplog):
    in_order = {
        "timeout": 30,
        "record": True,
        "recording_channels": "dual",
        "machine_detection": "DetectMessageEnd",
        "machine_detection_timeout": 59,
        "async_amd": False,
        "status_callback": "https://example.com/",
        "status_callback_event": ["completed"],
    }
    assert warnings_of(caplog, **in_order) == []


def test_replace_logs_only_what_the_change_brought(caplog):
    original = params(from_=None, method="GET")
    caplog.clear()
    replaced = original.replace(from_=FROM)
    assert caplog.messages == []
    replaced.replace(fallback_method="GET")
    assert [message.split(":")[0] for message in caplog.messages] == [
        "Twilio ignores fallback_method without fallback_url"
    ]


any_value = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.binary(max_size=5),
    st.lists(st.text(max_size=5), max_size=3),
    st.sampled_from([TO, TWIML, "client:a", "sip:a@b", "https://a.b/"]),
)


@pytest.mark.untraced
@reproducible(examples=400)
@given(st.dictionaries(st.sampled_from(CREATE_CALL_FIELDS), any_value, max_size=10))
def test_any_arguments_make_a_form_or_are_refused_line_by_line(arguments):
    try:
        form = CreateCallParams(**arguments).to_form()
    except CallParamsError as refused:
        assert refused.problems
        assert str(refused).splitlines() == [problem.text for problem in refused.problems]
        str(refused).encode()
    else:
        assert all(isinstance(name, str) and value.encode() for name, value in form)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"timeout": 3600}, {"timeout"}),
        ({"timeout": 3600, "trim": "x"}, {"timeout", "trim"}),
        ({"from_": "+15551234567"}, {"to", "from_"}),
        ({"url": "https://example.com"}, {"url", "twiml"}),
        ({"twiml": None}, {"url", "twiml", "application_sid"}),
        ({"sip_auth_username": "anne"}, {"sip_auth_username"}),
        ({"byoc": "BY1"}, {"byoc"}),
        ({"to": None}, {"to"}),
    ],
)
def test_an_error_names_the_arguments_that_are_wrong(given: dict[str, Any], named: set[str]) -> None:
    with pytest.raises(CallParamsError) as refused:
        CreateCallParams(**{"to": "+15551234567", "twiml": "<Response/>", **given})
    assert refused.value.arguments & {*CreateCallParams.model_fields} == named
    assert bool(refused.value.problems_of(named)) is bool(named)
