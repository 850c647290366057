"""What a mapped task is called in Airflow's UI: its callee, cut to the last four digits, instead of a number."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any


def label_mapped_task(context: MutableMapping[str, Any], label: str) -> None:
    """Give a mapped task a label, unless its author gave ``map_index_template``.

    The operator's own default for that would come too late: Airflow reads it before the task is told from its siblings.
    """
    ti = context["ti"]
    if ti.map_index < 0 or context.get("map_index_template") is not None:
        return
    # Airflow renders this one when the task ends, and shows the other one while it is deferred.
    context["map_index_template"] = ti.rendered_map_index = label
