"""The list of names that operators read at DAG parse."""

from __future__ import annotations

import subprocess
import sys

from airflow_provider_twiliocall.twilio.fields import CREATE_CALL_FIELDS
from airflow_provider_twiliocall.twilio.params import CreateCallParams


def test_names_every_field_of_the_params_in_their_order():
    assert tuple(CreateCallParams.model_fields) == CREATE_CALL_FIELDS


def test_there_are_the_36_parameters_of_twilio_and_the_three_newer_ones():
    assert len(CREATE_CALL_FIELDS) == 39


def test_reading_the_names_loads_neither_pydantic_nor_requests_nor_xml():
    program = (
        "import sys; import airflow_provider_twiliocall.twilio.fields; "
        "print({'pydantic', 'requests', 'xml'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"
