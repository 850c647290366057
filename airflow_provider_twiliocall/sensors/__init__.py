"""Airflow sensors that wait for calls."""
