"""Contact: somebody to call, with a name and a call window."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_twiliocall.arguments.templated import entries_in, is_blank, is_template
from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.twilio.list_text import literal_in
from airflow_provider_twiliocall.twilio.phone_number import (
    redact_phone_number,
    redact_phone_numbers_in,
    show_address,
)

_ARGUMENTS = ("name", "to", "call_window")


@dataclass(frozen=True)
class Contact:
    """Somebody to call. Where an operator takes it, each of the three may be or contain a template.

    Between tasks, pass :meth:`to_dict`: Airflow reads back only classes that its configuration names.

    :param name: shown in logs and results: a person, or a role such as ``second on call``. Without a name, the last
        four digits of the number are shown
    :param to: whom to call: E.164 (``+15551234567``), ``client:name`` or ``sip:user@host``
    :param call_window: when their phone may ring, a :class:`.CallWindow` or its arguments as a dict; None for always
    :raises ValueError: there is nothing to call, or a window that cannot be used
    """

    name: str | None
    to: str
    call_window: CallWindow | dict[str, Any] | str | None = None

    # For Airflow's serialization of what tasks return.
    __version__: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.name is not None and not isinstance(self.name, str):
            raise ValueError(f"the contact's name is {show_address(self.name)}: give text, or None")
        if is_blank(self.to):
            raise ValueError(f"the contact {self.shown} has no number: give to='+15551234567'")
        if self.call_window is not None:
            try:
                CallWindow.check_literal(self.call_window)
            except ValueError as error:
                raise ValueError(f"contact {self.shown}: {error}") from None

    @classmethod
    def from_value(cls, value: Any) -> Contact:
        """Read a contact: a contact, its arguments as a dict or as text of one, or a number alone.

        A number that is not text is kept as it is. The check of the call refuses it with the reason.

        :raises ValueError: missing or unknown arguments, or as the class does
        """
        if isinstance(value, Contact):
            return value
        if isinstance(value, str) and value.lstrip().startswith("{") and not is_template(value):
            value = literal_in(value)
        if isinstance(value, (list, tuple)):
            raise ValueError(
                f"contacts: one of them is a {type(value).__name__}: give "
                "Contact('Ann', '+15551234567'), or a dict with name and to"
            )
        if not isinstance(value, Mapping):
            return cls(None, value.strip() if isinstance(value, str) else value)
        unknown = [str(name) for name in value if name not in _ARGUMENTS]
        if unknown:
            hint = "the number goes in to" if "to" not in value else "give name, to and call_window"
            raise ValueError(f"contacts: a contact has no {', '.join(map(repr, unknown))}: {hint}")
        if "to" not in value:
            raise ValueError('contacts: a contact lacks to: give {"name": "Ann", "to": "+15551234567"}')
        name = value.get("name")
        return cls(None if is_blank(name) else name, value["to"], value.get("call_window"))

    @property
    def shown(self) -> str:
        """What logs and results show: the name, or the last four digits of the number."""
        if self.name and self.name.strip():
            return redact_phone_numbers_in(self.name.strip())
        return self.shown_number

    @property
    def shown_number(self) -> str:
        """Whom to call, cut to the last four digits."""
        return redact_phone_number(self.to) if isinstance(self.to, str) else show_address(self.to)

    def window(self) -> CallWindow | None:
        """Return when their phone may ring, None for always.

        :raises ValueError: the window cannot be used; a template that finds nothing does not mean always
        """
        return None if self.call_window is None else CallWindow.from_value(self.call_window)

    def rendered_by(self, render: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the arguments with their templates rendered, for :meth:`from_value`.

        The contact itself does not change, because another task may use it.
        """
        # What has no template stays as it is written, whoever renders.
        window = self.call_window
        hours = window if isinstance(window, CallWindow) else render(window)
        return {
            "name": render(self.name) if is_template(self.name) else self.name,
            "to": render(self.to) if is_template(self.to) else self.to,
            # A template that finds nothing does not mean "no window".
            "call_window": "None" if hours is None and window is not None else hours,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments as JSON knows them; :meth:`from_value` reads them back."""
        window = self.call_window
        return {
            "name": self.name,
            "to": self.to,
            "call_window": window.to_dict() if isinstance(window, CallWindow) else window,
        }

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow stores in a serialized DAG or in XCom."""
        return self.to_dict()

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> Contact:
        """Read back what :meth:`serialize` has returned."""
        return Contact.from_value(data)

    def __repr__(self) -> str:
        return f"Contact(name={self.name!r}, to={self.shown_number!r}, call_window={self.call_window!r})"

    def __str__(self) -> str:
        # Templates and Airflow's mapped tasks turn it into text. from_value reads that back.
        return json.dumps(self.to_dict())


def contacts_in(value: Any) -> list[Any]:
    """Return the contacts in a list, each as given. The list may be text, as a template renders it.

    :raises ValueError: the list is empty
    """
    try:
        contacts = entries_in(value)
    except ValueError as error:
        raise ValueError(f"contacts: {error}") from None
    if not contacts:
        raise ValueError(
            "contacts names nobody: give a list of numbers or contacts, in the order in which to ring them, such as "
            "['+15551234567', Contact('Ann', '+15551234568')]"
        )
    return contacts
