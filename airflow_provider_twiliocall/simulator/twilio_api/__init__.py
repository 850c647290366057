"""What clients speak: the requests of the Calls API, how they are checked, and the answers."""
