"""Airflow triggers that wait for calls off the worker."""
