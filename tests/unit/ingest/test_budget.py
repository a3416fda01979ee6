"""How much may be in flight."""

import pytest

from services.ingest.domain.budget import Budget, Exhausted


def test_a_place_is_given_back():
    budget = Budget(requests=1, size=10)
    with budget.claim(), pytest.raises(Exhausted, match="1 requests"), budget.claim():
        pass
    with budget.claim():
        assert budget.open == 1


def test_bytes_are_given_back_with_the_place():
    budget = Budget(requests=2, size=10)
    with budget.claim() as claim:
        claim.grow(6)
        with pytest.raises(Exhausted, match="10 bytes"):
            claim.grow(6)
    assert (budget.open, budget.held) == (0, 0)


def test_all_bytes_may_be_held():
    with Budget(requests=1, size=10).claim() as claim:
        claim.grow(10)
        assert claim.size == 10
