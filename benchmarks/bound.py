"""A figure that must not grow: what was measured, and how much is allowed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """One promise and what became of it."""

    figure: str
    measured: float
    allowed: float

    @property
    def is_kept(self) -> bool:
        return self.measured <= self.allowed

    def __str__(self) -> str:
        mark = "[green]kept[/]" if self.is_kept else "[bold red]MISSED[/]"
        return f"{mark}  {self.figure}: {self.measured:.4g} (at most {self.allowed:g})"
