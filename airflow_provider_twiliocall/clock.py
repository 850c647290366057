"""The one place that knows what time it is and how to wait. Tests replace these three functions here.

The package asks this module, and never ``time`` itself: a module that did would wait for real in every test.
"""

from __future__ import annotations

from time import monotonic, sleep, time

__all__ = ["monotonic", "sleep", "time"]
