"""The one error of the local stack: what went wrong, and what to do about it."""


class LocalError(Exception):
    """A start, stop or download that failed for a reason the user can mend."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  What to do: {remedy}")
        self.problem = problem
        self.remedy = remedy
