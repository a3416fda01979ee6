"""Watermarks and the prefix that is due, by hand."""

import numpy as np

from services.monitor.domain.watermarks import (
    NEVER,
    Heard,
    LabelClock,
    matured,
    model_watermark,
)


def watermark(partitions, held=NEVER, now=100.0):
    return model_watermark(partitions, held=held, now=now, idle_s=5)


def test_the_least_partition_that_speaks_counts():
    assert watermark({0: Heard(30, 99), 1: Heard(20, 98)}) == 20
    assert watermark({0: Heard(30, 99), 1: Heard(20, 94)}) == 30


def test_nothing_heard_is_never():
    assert watermark({}) == NEVER


def test_it_never_falls_and_stays_while_all_are_idle():
    assert watermark({0: Heard(30, 99), 1: Heard(20, 99)}, held=25) == 25
    assert watermark({0: Heard(30, 1)}, held=25) == 25


def test_the_prefix_ends_at_the_first_that_must_wait():
    assert matured(np.array([1, 3, 2, 9, 4]), 3) == 3
    assert matured(np.array([], np.int64), 3) == 0
    assert matured(np.array([5]), 4) == 0
    assert matured(np.array([5]), 5) == 1


def test_labels_carry_their_own_watermark():
    clock = LabelClock(2)
    clock.heard(10)
    clock.heard(7)
    assert clock.watermark == 10


def test_quiet_labels_follow_the_model_a_while_behind():
    clock = LabelClock(2)
    clock.quiet(50, now=0)
    clock.quiet(60, now=1.9)
    assert clock.watermark == NEVER
    clock.quiet(70, now=2)
    assert clock.watermark == 50
    clock.quiet(80, now=4)
    assert clock.watermark == 70


def test_a_label_ends_the_quiet():
    clock = LabelClock(2)
    clock.quiet(50, now=0)
    clock.heard(10)
    clock.quiet(60, now=3)
    assert clock.watermark == 10
