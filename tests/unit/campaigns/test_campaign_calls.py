"""What a row may say."""

from __future__ import annotations

import inspect

from airflow_provider_twiliocall.campaigns.campaign_calls import FOR_ALL_CALLS, ROW_ARGUMENTS
from airflow_provider_twiliocall.operators.call_campaign import CallCampaignOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator


def test_each_argument_of_a_single_call_is_one_of_a_row_or_of_all_calls() -> None:
    single = inspect.signature(CreateCallOperator.__init__).parameters
    # A campaign asks for no keys.
    of_keys = {"options", "ask_times", "answer_required", "answer_words"}
    assert {*single} - {"self", "arguments"} - of_keys == {*ROW_ARGUMENTS, *FOR_ALL_CALLS}
    assert not {*ROW_ARGUMENTS} & {*FOR_ALL_CALLS}


def test_what_a_row_may_leave_out_is_the_operators() -> None:
    campaign = inspect.signature(CallCampaignOperator.__init__).parameters
    assert {*ROW_ARGUMENTS, *FOR_ALL_CALLS} - {*campaign} == {"to", "wait_for_completion"}
