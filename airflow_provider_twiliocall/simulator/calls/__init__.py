"""What happens: the account, its queue, and the life of each call."""
