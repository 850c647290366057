"""Twilio itself: what to ask for, what it says about a call, what can go wrong. Knows nothing of Airflow."""
