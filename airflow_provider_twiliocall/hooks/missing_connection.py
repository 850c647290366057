"""A connection that Airflow does not find: whether somebody has to fix it, or Airflow itself is away."""

from __future__ import annotations

import json
import os

from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError


def connection_not_found(conn_id: str) -> TwilioConnectionError | TwilioConnectionNotFoundError:
    """Return what to raise for it: a variable that cannot be read is final, anything else may pass."""
    variable = f"AIRFLOW_CONN_{conn_id}".upper()
    if (problem := _problem_of_variable(conn_id, variable)) is not None:
        return TwilioConnectionError(
            f"Airflow cannot read a connection from the environment variable {variable} ({problem}). Give it JSON "
            'like {"conn_type": "twilio", "login": "AC…", "password": "…"}, or a URI with special characters escaped'
        )
    return TwilioConnectionNotFoundError(
        f"There is no connection {conn_id!r}, or Airflow's API server or secrets backend is away. If there is none, "
        "create one of type twilio under Admin > Connections, with "
        f"`airflow connections add {conn_id} --conn-type twilio …`, or in the environment variable {variable}"
    )


def _problem_of_variable(conn_id: str, variable: str) -> str | None:
    """Say why a variable that is set gives no connection. Airflow says only that there is none."""
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend

    if not os.environ.get(variable):
        return None
    try:
        if (connection := EnvironmentVariablesBackend().get_connection(conn_id)) is not None:
            # Airflow does the same for its cache.
            connection.get_uri()
    except (json.JSONDecodeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        # Its text may contain a part of the password.
        return type(error).__name__
    return None
