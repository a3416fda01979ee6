"""Redis, and the timer."""
