"""Checks every event and label against its declaration; what is not right is set aside, whole."""
