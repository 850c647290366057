"""Phone calls as steps in an Airflow DAG, placed with Twilio. Importing this package costs nothing."""

from __future__ import annotations

__version__ = "0.1.0"
