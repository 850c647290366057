"""Airflow operators that place calls."""
