"""What an author writes for a call, and how it becomes the parameters of one."""
