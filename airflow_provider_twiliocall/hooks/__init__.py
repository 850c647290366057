"""Airflow hooks: a connection becomes a client of Twilio."""
