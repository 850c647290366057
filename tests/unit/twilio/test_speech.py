"""What reads well in a log is put so that it can be understood on a phone."""

from __future__ import annotations

import textwrap
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twiliocall.twilio.speech import words_for_ears
from tests.unit.examples import reproducible


def traceback_of(raises: str) -> str:
    try:
        exec(textwrap.dedent(raises))
    except Exception:
        return traceback.format_exc()
    raise AssertionError("nothing was raised")


BOOM = traceback_of("raise ValueError('boom at line 5')")

CHAINED = traceback_of(
    """
    try:
        {}['orders']
    except KeyError as error:
        raise RuntimeError('no orders today') from error
    """
)

WHILE_HANDLING = traceback_of(
    """
    try:
        {}['orders']
    except KeyError:
        1 / 0
    """
)

# As Python 3.11 and newer print it; 3.10 has none.
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "etl.py", line 3, in <module>
  |     raise ExceptionGroup("two loads failed", errors)
  | ExceptionGroup: two loads failed (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "etl.py", line 1, in load
    | ValueError: orders
    +---------------- 2 ----------------
    | KeyError: 'customers'
    +------------------------------------
"""


def said(text: str) -> str:
    """Blanks and line ends are all one to an ear."""
    return " ".join(words_for_ears(text).split())


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("load_orders_v2", "load orders v2"),
        ("dag etl__daily_load failed", "dag etl daily load failed"),
        ("__init__", "init"),
        ("loadOrders", "load Orders"),
        ("loadOrdersDaily_v2", "load Orders Daily v2"),
        ("HTTPServerError", "HTTP Server Error"),
        ("orders2Warehouse", "orders2 Warehouse"),
        ("AirflowTaskTimeout", "Airflow Task Timeout"),
        ("größeÄndern", "größe Ändern"),
    ],
)
def test_names_of_code_become_words(written: str, heard: str) -> None:
    assert said(written) == heard


@pytest.mark.parametrize(
    "words",
    [
        "Pump 3 & 4 failed: 25 kWh lost, 7 DAGs late.",
        "The PDFs of McKinsey's e-mail, 3.5 GHz",
        "Grüße aus Köln!",
        "你好,世界",
        "tasks: load-orders, transform.orders",
        "  blanks  stay \n as they are ",
    ],
)
def test_words_that_are_words_already_stay_as_they_are(words: str) -> None:
    assert words_for_ears(words) == words


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("https://airflow.example.com/dags/x?y", "a link to airflow.example.com"),
        ("See http://localhost:8080/dags/load_orders.", "See a link to localhost."),
        ("(https://example.com/a_(b))", "(a link to example.com))"),
        ("<https://example.com/log|the log>", "<a link to example.com|the log>"),
        ('log="https://example.com/x", next', 'log="a link to example.com", next'),
        ("请看https://example.com/x。谢谢", "请看a link to example.com。谢谢"),
        ("HTTPS://Example.COM/X", "a link to example.com"),
        ("https://user:secret@example.com/x", "a link to example.com"),
        ("postgresql+psycopg2://etl:secret@db.internal:5432/dwh", "a link to db.internal"),
        ("s3://raw_orders/2026/01", "a link to raw orders"),
        ("https://[::1]:8080/x", "a link to ::1"),
        ("https://[broken", "a link"),
        ("file:///tmp/x and a://", "file:///tmp/x and a://"),
    ],
)
def test_a_url_is_named_by_its_host(written: str, heard: str) -> None:
    assert said(written) == heard


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        (BOOM, "Value Error: boom at line 5"),
        (f"load failed:\n{BOOM}", "load failed: Value Error: boom at line 5"),
        (f"load failed: {BOOM}Call Marie.", "load failed: Value Error: boom at line 5 Call Marie."),
        (f"{BOOM}\nand\n{BOOM}", "Value Error: boom at line 5 and Value Error: boom at line 5"),
        (textwrap.indent(BOOM, "    "), "Value Error: boom at line 5"),
        (BOOM.replace("\n", "\r\n"), "Value Error: boom at line 5"),
        (CHAINED, "Runtime Error: no orders today"),
        (f"load failed:\n{CHAINED}Call Marie.", "load failed: Runtime Error: no orders today Call Marie."),
        (WHILE_HANDLING, "Zero Division Error: division by zero"),
        (traceback_of("int('x_y' 'z')"), "Value Error: invalid literal for int() with base 10: 'x yz'"),
        (GROUP, "Exception Group: two loads failed (2 sub-exceptions)"),
        (f"{BOOM}\n{BOOM}".replace("boom at line 5", "first\nsecond"), "Value Error: first second " * 2),
    ],
)
def test_a_traceback_is_cut_to_what_it_ends_with(written: str, heard: str) -> None:
    assert said(written) == heard.strip()


def test_a_traceback_that_was_cut_off_leaves_the_words_before_it() -> None:
    assert said(f"load failed: {BOOM[:60]}") == "load failed:"


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("manual__2026-11-25T22:59:42.951766+00:00", "manual 25 November 2026 at 22:59 UTC"),
        ("manual__2026-11-25T22:59:42+00:00_a1B2c3D4 failed", "manual 25 November 2026 at 22:59 UTC failed"),
        ("scheduled__2026-01-31T06:00:00+00:00", "scheduled 31 January 2026 at 06:00 UTC"),
        ("asset_triggered__2026-01-31T06:00:00Z.", "asset triggered 31 January 2026 at 06:00 UTC."),
        ("at 2026-11-25T22:59:42+05:30, late", "at 25 November 2026 at 22:59 UTC plus 5:30, late"),
        ("2026-11-25 22:59:42.9-03:00", "25 November 2026 at 22:59 UTC minus 3"),
        ("2026-11-25 22:59:42,951 ERROR", "25 November 2026 at 22:59 ERROR"),
        ("20261125T225942", "25 November 2026 at 22:59"),
        ("20261125T225942+0000", "25 November 2026 at 22:59 UTC"),
        ("2026-11-25T22:59", "25 November 2026 at 22:59"),
        ("orders of 2026-11-25.", "orders of 25 November 2026."),
        ("(2026-11-25)", "(25 November 2026)"),
    ],
)
def test_a_timestamp_is_said_as_a_date_and_a_time(written: str, heard: str) -> None:
    assert said(written) == heard


@pytest.mark.parametrize(
    "words",
    [
        "order 2026-11-25-001",
        "20261125",
        "2026-13-45T99:99:99Z",
        "2026-02-30",
        "0000-01-01",
        "1.2026-11-25",
        "2026-11-25T22",
        "+15551234567",
        "2026-11-2512",
    ],
)
def test_what_is_no_timestamp_stays_as_it_is(words: str) -> None:
    assert said(words) == words


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("run manual__2026-11-25T22:59:42.9+00:00", "run manual 2026-11-25 22:59 UTC"),
        ("2026-11-25T22:59:42+02:00", "2026-11-25 22:59 UTC+2"),
        ("2026-11-25", "2026-11-25"),
    ],
)
def test_a_timestamp_in_words_of_another_language_stays_numbers(written: str, heard: str) -> None:
    assert " ".join(words_for_ears(written, language="fr-FR").split()) == heard


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("password=***", "password=redacted"),
        ("token ***, key ***.", "token redacted, key redacted."),
        ("abc***def", "abc redacted def"),
        ("*****", "*****"),
    ],
)
def test_what_a_secret_was_masked_with_is_said_as_a_word(written: str, heard: str) -> None:
    assert said(written) == heard


def test_colours_of_a_terminal_are_not_said() -> None:
    assert words_for_ears("\x1b[1;31mERROR\x1b[0m load failed") == "ERROR load failed"


@pytest.mark.parametrize("text", ["", " ", "___", "\x1b[0m", "Traceback (most recent call last):"])
def test_text_that_is_nothing_but_noise_comes_back_as_it_was(text: str) -> None:
    assert words_for_ears(text) == text


@reproducible(examples=300)
@given(
    st.lists(
        st.one_of(
            st.text(),
            st.sampled_from(
                [
                    BOOM,
                    CHAINED,
                    GROUP,
                    "https://a.example/",
                    "_",
                    "aB",
                    "://",
                    "\n",
                    "\x1b[0m",
                    "[",
                    "***",
                    "__2026-11-25T22:59:42+00:00",
                ]
            ),
        )
    ).map("".join)
)
def test_any_text_that_says_something_still_does(text: str) -> None:
    assert bool(words_for_ears(text).strip()) == bool(text.strip())


@pytest.mark.parametrize(
    "part",
    [
        "a.",
        "a://",
        "aB",
        "_",
        "Traceback (most recent call last):\n",
        "  | ",
        "[0m\x1b",
        "2026-",
        "*",
        "2026-11-25T22:59 ",
    ],
)
def test_a_very_long_text_takes_no_more_than_its_length(part: str) -> None:
    assert words_for_ears(part * 50_000)
