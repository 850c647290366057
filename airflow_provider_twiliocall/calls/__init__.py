"""One call of a task, from the wish to place it to what its end means."""
