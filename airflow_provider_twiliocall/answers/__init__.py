"""What a callee answers with keys: what is asked, where Twilio sends the answer, and where it is kept."""
