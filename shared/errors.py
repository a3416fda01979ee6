"""Errors by what to do about them: park the message, or wait for the world.

ValueError: the message is at fault and is parked now. Transient: the world is, the work is tried
again until it succeeds. Anything else is our bug: three tries, then the message is parked.
"""


class Rejected(ValueError):
    """A message cannot be accepted; its text says which field and why."""


class Transient(Exception):
    """The work could not be done now and may succeed later; its text says what is waited for."""
