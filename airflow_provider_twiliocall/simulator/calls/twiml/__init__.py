"""TwiML as a call lives it: read once into small values, then one step after the other. No I/O in here."""
