"""The figures this package promises, measured beside its peers in one run: ``make bench``."""
