"""What a TwiML document tells Twilio to do, as values. All times in simulated seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

CHARACTERS_PER_SECOND = 15.0
"""How fast words are said: about 150 English words a minute, as Twilio's voices do."""

PLAY_SECONDS = 10.0
"""How long any recording is. The simulator does not fetch what a ``<Play>`` plays."""

TONE_SECONDS = 0.25
"""How long one tone of ``<Play digits>`` is; a ``w`` in it is half a second."""

RECORDED_SPEECH_SECONDS = 3.0
"""How long the callee speaks into a ``<Record>`` before falling silent."""

DIALED_SECONDS = 10.0
"""How long whoever is connected by a ``<Dial>`` talks. Nobody is rung."""


@dataclass(frozen=True)
class Sound:
    """Something heard for a while: ``Say``, ``Play`` or ``Pause``.

    :param text: the words said, or the URL or the tones played; empty for a pause.
    """

    verb: str
    text: str
    seconds: float


@dataclass(frozen=True)
class Gather:
    """Wait for keys, while something is heard.

    :param action: where the keys go, as it is written; empty: the document itself.
    :param finish_on_key: ends the input; empty: no key does.
    :param num_digits: so many keys end the input; None: any number.
    :param hears_keys: whether ``input`` names ``dtmf``.
    """

    sounds: tuple[Sound, ...] = ()
    action: str = ""
    method: str = "POST"
    timeout: float = 5.0
    finish_on_key: str = "#"
    num_digits: int | None = None
    action_on_empty_result: bool = False
    hears_keys: bool = True


@dataclass(frozen=True)
class Record:
    """Record the callee until they are silent, press a key, or for ``max_length``."""

    action: str = ""
    method: str = "POST"
    timeout: float = 5.0
    max_length: float = 3600.0
    finish_on_key: str = "1234567890*#"

    @property
    def seconds(self) -> float:
        """How long it records if no key is pressed."""
        return min(RECORDED_SPEECH_SECONDS + self.timeout, self.max_length)


@dataclass(frozen=True)
class Dial:
    """Connect the callee with somebody else, who always answers and talks a while.

    :param action: None: the document goes on after it.
    """

    action: str | None = None
    method: str = "POST"
    time_limit: float = 14_400.0

    @property
    def seconds(self) -> float:
        """How long the two talk."""
        return min(DIALED_SECONDS, self.time_limit)


@dataclass(frozen=True)
class Redirect:
    """Go on with another document."""

    url: str
    method: str = "POST"


@dataclass(frozen=True)
class Hangup:
    """End the call. ``<Reject>`` is the same for a call that was answered."""


Verb: TypeAlias = "Sound | Gather | Record | Dial | Redirect | Hangup"


@dataclass(frozen=True)
class Flaw:
    """What Twilio writes into its debugger about a document.

    :param is_error: False for a warning, after which the call goes on.
    """

    code: int
    message: str
    is_error: bool = False


@dataclass(frozen=True)
class Document:
    """A document as Twilio executes it, and what it has to say about its mistakes.

    :param not_simulated: verbs that Twilio knows and the simulator passes over.
    """

    verbs: tuple[Verb, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    not_simulated: tuple[str, ...] = ()


def seconds_to_say(text: str) -> float:
    """How long it takes to say words once."""
    return len(text) / CHARACTERS_PER_SECOND


def seconds_of_tones(digits: str) -> float:
    """How long the tones of ``<Play digits>`` take."""
    return sum(0.5 if tone in "wW" else TONE_SECONDS for tone in digits)
