"""What Twilio sends: status callbacks and requests for TwiML."""
