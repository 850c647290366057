"""What survives a try of a task: which call it has placed, and how each one ended."""
