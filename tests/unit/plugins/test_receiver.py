"""The plugin, as Airflow loads it in every process: it costs nothing until a request comes."""

from __future__ import annotations

import json

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_twiliocall.hooks import webhook_settings
from airflow_provider_twiliocall.plugins.receiver import MOUNTED_AT, TwilioCallPlugin
from tests.support.fresh_airflow import run


def test_it_is_mounted_where_the_addresses_lead() -> None:
    [mounted] = TwilioCallPlugin.fastapi_apps
    assert issubclass(TwilioCallPlugin, AirflowPlugin)
    assert mounted["url_prefix"] == MOUNTED_AT == webhook_settings.MOUNTED_AT


def test_loading_it_loads_nothing_else_of_this_package() -> None:
    program = (
        "import json, sys\n"
        "import airflow.plugins_manager\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_twiliocall.plugins.receiver\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    assert set(json.loads(run(program).splitlines()[-1])) <= {
        "airflow_provider_twiliocall",
        "airflow_provider_twiliocall.plugins",
        "airflow_provider_twiliocall.plugins.receiver",
    }
