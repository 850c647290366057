"""The keys that a scripted callee presses, and when."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

BETWEEN_KEYS = 0.5
"""Seconds between the keys of one press."""


class Press(BaseModel):
    """What a callee presses when keys are asked for. All times in simulated seconds.

    :param keys: one key after the other; empty: the callee lets this question pass.
    :param after: seconds since the ``<Gather>`` began, or since the press before in the same ``<Gather>``.
        Long or short: what is being said goes on until the key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: str = Field(pattern=r"^[0-9*#]*$")
    after: float = Field(default=2.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _keys_alone(cls, value: Any) -> Any:
        return {"keys": value} if isinstance(value, str) else value


def check_keys(keys: str) -> None:
    """Refuse what a phone has no keys for."""
    if not re.fullmatch(r"[0-9*#]+", keys):
        raise ValueError(f"{keys!r} are no keys of a phone: give one or more of 0123456789*#")
