"""Runs a use case through the whole platform, as a user would, and reports what came of it."""
