"""The journal of a campaign: its dials block by block, so that a crash leaves one block in doubt and no other.

Before a block is dialled, its rows are written down; after it, what came of each. A process may dial only for a short
time after it has written, so that one that was replaced, and does not know it yet, dials nothing beside the next one.

Where Airflow keeps nothing for a task (:mod:`.store`), the journal is blank at every try.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.exceptions import TwilioCallJournalError, TwilioCallSupersededError
from airflow_provider_twiliocall.journal.store import Store, is_superseded, store_of

logger = logging.getLogger(__name__)

KEY = "twilio_campaign"

# How long a process may dial after it has written.
LEASE_S = 30.0
# Less would be over before a request that begins now is sent.
LEAST_OF_LEASE_S = 10.0

# Far below the 64 KB from which on the store warns.
_DIALS_OF_A_PAGE = 1_000

# One write may take 20 s to fail while the API server is away.
_WRITES = 4
_PAUSE_BETWEEN_WRITES_S = 5.0

PUT_BACK = ""
"""What is said of a row of a block that was not dialled, and still has to be."""


@dataclass(frozen=True)
class Dial:
    """What came of a row's turn.

    :param row: its index, from 0
    :param said: the SID of its call; or why there is none, in the words of :class:`.Reason`
    """

    row: int
    said: str


@dataclass(frozen=True)
class Doubt:
    """Rows that a process was about to dial one after the other when it was heard of last.

    :param since: when that was, by Twilio's clock, as Unix time
    :param until: when it stopped at the latest
    """

    rows: tuple[int, ...]
    since: float
    until: float


@dataclass(frozen=True)
class _Head:
    run: str
    input: str
    salt: str
    max_tries: int
    began: float
    since: float = 0.0
    until: float = 0.0
    pages: int = 0
    in_page: int = 0
    rows: tuple[int, ...] = ()
    said: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        # Airflow refuses a tuple.
        return asdict(self) | {"rows": list(self.rows), "said": list(self.said)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> _Head:
        known = {field.name: value[field.name] for field in fields(cls) if field.name in value}
        return cls(**known | {name: tuple(known.get(name, ())) for name in ("rows", "said")})


class CampaignJournal:
    """The journal of one campaign.

    :param store: Airflow's task state store; None where there is none
    :param max_tries: of this try: a retry keeps it, a person who clears the task raises it
    :param now: returns the Unix time by Twilio's clock, which is the same for all machines
    """

    def __init__(self, store: Store | None, max_tries: int, now: Callable[[], float]) -> None:
        self._store = store
        self._max_tries = max_tries
        self.now = now
        """Returns the Unix time by Twilio's clock."""
        self._head: _Head | None = None
        self._page: list[list[Any]] = []

    @classmethod
    def of(cls, context: Mapping[str, Any], now: Callable[[], float]) -> CampaignJournal:
        """Open the journal of the task instance that a context is of."""
        return cls(store_of(context), getattr(context.get("ti"), "max_tries", 0), now)

    @property
    def is_kept(self) -> bool:
        """Whether a next try will find it."""
        return self._store is not None

    @property
    def _known(self) -> _Head:
        assert self._head is not None, "read() or start() comes first"
        return self._head

    @property
    def salt(self) -> str:
        """What goes into the digest of the rows."""
        return self._known.salt

    @property
    def input(self) -> str:
        """The digest of the rows that the campaign is about."""
        return self._known.input

    @property
    def began(self) -> float:
        """When the campaign began, by Twilio's clock, as Unix time."""
        return self._known.began

    @property
    def is_cleared(self) -> bool:
        """Whether a person has cleared the task since."""
        return self._known.max_tries != self._max_tries

    @property
    def doubt(self) -> Doubt | None:
        """What an earlier try may have dialled without telling what came of it; None for nothing."""
        head = self._known
        if len(head.said) == len(head.rows):
            return None
        return Doubt(head.rows[len(head.said) :], head.since, head.until)

    @property
    def others_dial_until(self) -> float:
        """Until when another process of this campaign may dial, by Twilio's clock, as Unix time."""
        return self._known.until

    # Reading ----------------------------------------------------------------------------------------------

    def read(self) -> list[Dial] | None:
        """Return what came of each turn so far, in order, as far as it is not in doubt; None before the first.

        :raises TwilioCallJournalError: it cannot be read now; nothing may be dialled then
        """
        if self._store is None:
            return None
        written = self._get(KEY)
        if not written:
            return None
        head = _Head.from_json(written)
        pages = [self._page_of(head, number) for number in range(head.pages + 1)]
        self._page = pages[-1]
        dials = [Dial(row, said) for page in pages for row, said in page]
        if len(self._page) > head.in_page:
            # The block was over, and nobody has come to say so.
            head = replace(head, rows=(), said=(), in_page=len(self._page))
        self._head = head
        told = zip(head.rows, head.said, strict=False)
        return [*dials, *(Dial(row, said) for row, said in told if said != PUT_BACK)]

    def _page_of(self, head: _Head, number: int) -> list[list[Any]]:
        page = self._get(f"{KEY}_{number}")
        return page["dials"] if page and page["run"] == head.run else []

    def _get(self, key: str) -> Any:
        assert self._store is not None
        try:
            return self._store.get(key)
        except Exception as error:
            raise TwilioCallJournalError(
                f"What earlier tries have dialled cannot be read from Airflow's task state store ({error}), so "
                "nothing was dialled. A retry tries again"
            ) from error

    # Writing ----------------------------------------------------------------------------------------------

    def start(self, digest: str, salt: str) -> None:
        """Begin a campaign; what was written about another one before is forgotten."""
        self._page = []
        self._head = _Head(secrets.token_hex(4), digest, salt, self._max_tries, began=self.now())

    def begin(self, rows: Sequence[int]) -> None:
        """Write down that these rows are about to be dialled, in this order; they may be, for a while.

        :raises TwilioCallSupersededError: another process runs this task by now: don't dial
        :raises TwilioCallJournalError: it could not be written: don't dial
        """
        self._write_head(rows=tuple(rows), said=())

    def renew(self, said: Sequence[str]) -> None:
        """Write down what came of the first rows of the block; the others may be dialled for another while.

        :raises TwilioCallSupersededError: another process runs this task by now: don't dial
        :raises TwilioCallJournalError: it could not be written: don't dial
        """
        self._write_head(said=tuple(said))

    def narrow(self, said: Sequence[str]) -> None:
        """Write down what came of the first rows of the block, and that of the others only the next one is in doubt.

        :raises TwilioCallSupersededError: another process runs this task by now
        :raises TwilioCallJournalError: it could not be written
        """
        self._write_head(rows=self._known.rows[: len(said) + 1], said=tuple(said), since=self._known.since)

    @property
    def may_dial(self) -> bool:
        """Whether this process may dial without writing before."""
        return self._store is None or self.now() + LEAST_OF_LEASE_S < self._known.until

    def finish(self, said: Sequence[str]) -> None:
        """Write down what came of each row of the block.

        :raises TwilioCallSupersededError: another process runs this task by now
        :raises TwilioCallJournalError: it could not be written
        """
        head = self._known
        told = [[row, each] for row, each in zip(head.rows, said, strict=True) if each != PUT_BACK]
        page = [*self._page, *told]
        if told:
            self._put(f"{KEY}_{head.pages}", {"run": head.run, "dials": page})
        else:
            self._write_head(rows=(), said=())
        is_full = len(page) >= _DIALS_OF_A_PAGE
        self._page = [] if is_full else page
        self._head = replace(
            self._known, rows=(), said=(), pages=head.pages + is_full, in_page=len(self._page)
        )

    def settle_doubt(self, said: Sequence[str]) -> None:
        """Write down what has been found out about the rows that were in doubt, one word for each.

        :raises TwilioCallSupersededError: another process runs this task by now
        :raises TwilioCallJournalError: it could not be written
        """
        self.finish([*self._known.said, *said])

    def release(self) -> None:
        """Write down that this process dials nothing any more, so that the next one need not wait."""
        head = self._known
        if self._store is None:
            return
        # A request that is in doubt may still be under way.
        until = head.until if self.doubt else 0.0
        left = replace(head, until=until, max_tries=self._max_tries)
        self._put(KEY, left.to_json())
        self._head = left

    def _write_head(self, **changes: Any) -> None:
        now = self.now()
        lease = {"since": now, "until": now + LEASE_S, "max_tries": self._max_tries}
        head = replace(self._known, **{**lease, **changes})
        self._put(KEY, head.to_json())
        self._head = head

    def _put(self, key: str, value: dict[str, Any]) -> None:
        if self._store is None:
            return
        for attempt in range(1, _WRITES + 1):
            try:
                self._store.set(key, value)
                return
            except Exception as error:
                if is_superseded(error):
                    raise TwilioCallSupersededError(
                        "Another try of this task has taken over, so this one dials nobody any more"
                    ) from None
                if attempt == _WRITES:
                    raise TwilioCallJournalError(
                        f"Airflow's task state store cannot be written ({error}), so nobody else was dialled: without "
                        "it a retry could ring twice. A retry goes on where this try has come to"
                    ) from error
                logger.warning("The journal of the campaign cannot be written for now: %s", error)
            clock.sleep(_PAUSE_BETWEEN_WRITES_S)
