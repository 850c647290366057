"""What runs in Airflow's API server: the receiver of what Twilio sends."""
