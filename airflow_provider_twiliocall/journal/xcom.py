"""The XCom keys under which tasks tell of their calls. What is shown there has no whole phone number."""

from __future__ import annotations

from typing import Final

CALL_SID: Final = "call_sid"
"""The SID of the call that a task is about, from the moment it is known."""
CALL: Final = "call"
"""The call as a dict, as last seen."""
DIALS: Final = "dials"
"""All calls of a task that may place several, each as a dict."""
