"""Looking for an unconfirmed call: which of Twilio's calls it may be, by whose clock, and how long one waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest

from airflow_provider_twiliocall.calls.look_up import PATIENCE_S, SHORT_PATIENCE_S, CallLookUp, Window, named
from airflow_provider_twiliocall.journal.entry import Entry, State
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.errors import (
    TwilioError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.turned_clock import TurnedClock

SENT = 1_700_000_000.0
READ_TIMEOUT = 15.0
CLOSES = READ_TIMEOUT + 5
PARAMS = CreateCallParams(to="+15551234567", from_="+15557654321", twiml="<Response/>")
FIRST, SECOND, THIRD = ("CA" + digit * 32 for digit in "123")
AWAY = TwilioUnreachableError("away")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(SENT).install(monkeypatch)


class ScriptedHook:
    """A hook whose list of calls is scripted, look by look; the last one stays."""

    settings = SimpleNamespace(read_timeout=READ_TIMEOUT)

    def __init__(self, *lists: list[Call] | TwilioError, clock_offset: float | None = None) -> None:
        self._lists = list(lists)
        self.watcher = SimpleNamespace(list_calls=self._list_calls, clock_offset=clock_offset)
        self.filters: dict[str, Any] = {}
        self.read = 0

    def _list_calls(self, **filters: Any) -> Iterator[Call]:
        self.filters = filters
        listed = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        if isinstance(listed, TwilioError):
            raise listed
        for call in listed:
            self.read += 1
            yield call


def entry(clock_offset: float | None = None) -> Entry:
    return Entry(State.PLACING, max_tries=0, digest="d", salt="s", sent=SENT, clock_offset=clock_offset)


def call(sid: str, created_after: float, *, direction: str = "outbound-api") -> Call:
    created = pendulum.from_timestamp(SENT + created_after)
    return Call.model_validate(
        {"sid": sid, "status": "queued", "direction": direction, "date_created": created}
    )


def find(
    hook: ScriptedHook,
    *,
    patience: float = PATIENCE_S,
    sent: Entry | None = None,
    taken: tuple[str, ...] = (),
    certain: bool = False,
) -> list[str]:
    search = CallLookUp(hook, PARAMS, sent or entry(), taken_sids=lambda: taken)  # type: ignore[arg-type]
    return [call.sid for call in search.find(patience=patience, certain=certain)]


# The window


def test_the_window_opens_before_the_sending_and_closes_after_the_longest_reading() -> None:
    window = Window.of(entry(), clock_offset=None, read_timeout=READ_TIMEOUT)
    assert window == Window(SENT - 2, SENT + CLOSES)


def test_the_window_is_by_twilios_clock() -> None:
    window = Window.of(entry(), clock_offset=90, read_timeout=READ_TIMEOUT)
    assert window == Window(SENT + 90 - 2, SENT + 90 + CLOSES)


def test_the_clock_of_the_machine_that_dialled_counts_where_it_was_compared() -> None:
    window = Window.of(entry(clock_offset=-90), clock_offset=5, read_timeout=READ_TIMEOUT)
    assert window == Window(SENT - 90 - 2, SENT - 90 + CLOSES)


# Which calls it may be


def test_twilio_is_asked_for_calls_between_the_two_whatever_their_dates() -> None:
    hook = ScriptedHook([])
    find(hook, patience=0)
    assert hook.filters == {"to": PARAMS.to, "from_": PARAMS.from_, "page_size": 100}


def test_a_look_does_not_read_the_whole_history_of_the_number() -> None:
    history = [call(f"CA{number:032x}", -3600 - number) for number in range(3000)]
    hook = ScriptedHook([call(FIRST, 0), *history])
    assert find(hook, patience=0) == [FIRST]
    assert hook.read == 2 * 100


def test_a_call_is_found_behind_those_that_were_placed_since(clock: TurnedClock) -> None:
    clock.now = SENT + 24 * 3600
    later = [call(f"CA{number:032x}", 3600 + number) for number in range(300)]
    assert find(ScriptedHook([*later, call(FIRST, 0)])) == [FIRST]


@pytest.mark.parametrize("created_after", [-2, 0, CLOSES])
def test_a_call_created_in_the_window_may_be_it(created_after: float) -> None:
    assert find(ScriptedHook([call(FIRST, created_after)])) == [FIRST]


@pytest.mark.parametrize("created_after", [-3, CLOSES + 1])
def test_a_call_created_out_of_the_window_is_another(created_after: float) -> None:
    assert find(ScriptedHook([call(FIRST, created_after)])) == []


@pytest.mark.parametrize("direction", ["inbound", "outbound-dial", "trunking-terminating"])
def test_a_call_that_nobody_asked_the_api_for_is_another(direction: str) -> None:
    assert find(ScriptedHook([call(FIRST, 0, direction=direction)])) == []


def test_a_call_without_a_date_of_creation_is_another() -> None:
    undated = Call.model_validate({"sid": FIRST, "status": "queued", "direction": "outbound-api"})
    assert find(ScriptedHook([undated])) == []


def test_a_call_that_is_known_to_be_anothers_is_another() -> None:
    assert find(ScriptedHook([call(FIRST, 0), call(SECOND, 1)]), taken=(FIRST,)) == [SECOND]


def test_all_calls_that_it_may_be_are_returned_oldest_first() -> None:
    assert find(ScriptedHook([call(THIRD, 2), call(SECOND, 1), call(FIRST, 0)])) == [FIRST, SECOND, THIRD]


def test_candidates_are_named_with_what_tells_them_apart() -> None:
    text = named([call(FIRST, 0), call(SECOND, 1)])
    assert text.startswith(f"{FIRST} (created 2023-11-14") and f", {SECOND} (created" in text


# How long


def test_a_call_is_returned_once_no_other_can_turn_up(clock: TurnedClock) -> None:
    assert find(ScriptedHook([call(FIRST, 0)])) == [FIRST]
    assert SENT + CLOSES <= clock.now <= SENT + CLOSES + 5


def test_a_second_call_that_turns_up_late_is_not_overlooked() -> None:
    hook = ScriptedHook([call(FIRST, 0)], [call(FIRST, 0)], [call(SECOND, 1), call(FIRST, 0)])
    assert find(hook) == [FIRST, SECOND]


def test_a_call_of_long_ago_is_returned_at_once(clock: TurnedClock) -> None:
    clock.now = SENT + 3600
    assert find(ScriptedHook([call(FIRST, 0)])) == [FIRST]
    assert clock.now == SENT + 3600


def test_a_call_that_lists_show_late_is_waited_for(clock: TurnedClock) -> None:
    clock.now = SENT + 3600
    assert find(ScriptedHook([], [], [], [call(FIRST, 0)])) == [FIRST]


@pytest.mark.parametrize("patience", [SHORT_PATIENCE_S, PATIENCE_S])
def test_patience_ends_a_search_in_vain(clock: TurnedClock, patience: float) -> None:
    assert find(ScriptedHook([]), patience=patience) == []
    assert clock.now == SENT + patience


def test_what_was_found_is_returned_at_the_end_of_patience_though_another_could_come(
    clock: TurnedClock,
) -> None:
    assert find(ScriptedHook([call(FIRST, 0)]), patience=SHORT_PATIENCE_S) == [FIRST]
    assert clock.now == SENT + SHORT_PATIENCE_S


# Transient errors


def test_a_transient_error_is_looked_through_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    assert find(ScriptedHook(AWAY, AWAY, AWAY, [call(FIRST, 0)])) == [FIRST]
    assert caplog.text.count("Cannot look for the call for now") == 1


def test_another_kind_of_error_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    find(ScriptedHook(AWAY, TwilioThrottledError("later"), [call(FIRST, 0)]))
    assert caplog.text.count("Cannot look for the call for now") == 2


def test_a_transient_error_that_lasts_is_passed_on(clock: TurnedClock) -> None:
    with pytest.raises(TwilioUnreachableError):
        find(ScriptedHook(AWAY))
    assert clock.now == SENT + PATIENCE_S


def test_one_look_that_succeeded_is_enough_to_say_that_there_is_none() -> None:
    assert find(ScriptedHook([], AWAY)) == []


def test_an_early_sight_is_not_certain_where_the_list_cannot_be_read_any_more() -> None:
    with pytest.raises(TwilioUnreachableError):
        find(ScriptedHook([call(FIRST, 0)], AWAY), certain=True)
