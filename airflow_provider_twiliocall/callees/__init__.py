"""Who may be rung, and when."""

from __future__ import annotations

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.contact import Contact

__all__ = ["CallWindow", "Contact"]
