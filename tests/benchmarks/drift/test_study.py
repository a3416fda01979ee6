"""The study: its laws are what they are said to be, its rivals are the real ones, it runs."""

from __future__ import annotations

import json
from math import inf

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from tests.benchmarks.drift import rivals
from tests.benchmarks.drift.__main__ import main
from tests.benchmarks.drift.columns import POINTS, Move
from tests.benchmarks.drift.head import COLUMNS, FEATURES, NUMBERS, cases
from tests.benchmarks.drift.judging import OURS, Delay, Quiet, behind, memoryless, merged, pooled
from tests.benchmarks.drift.labels import SETTINGS, Change, World
from tests.benchmarks.drift.streams import STEP, Counted, Drift, Stream

RNG = np.random.default_rng(11)
NAMES = [column.name for column in FEATURES]


def test_there_are_twenty_numbers_of_many_shapes_and_five_categories():
    assert len(NUMBERS) == 20
    assert len({name.rpartition("_")[0] for name in NAMES[:20]}) == 10
    assert [len(set(column.points())) for column in FEATURES[20:]] == [2, 3, 8, 30, 100]


@pytest.mark.parametrize("column", [FEATURES[place] for place in (0, 7, 13, 17)])
def test_a_mean_moves_by_its_own_sd(column):
    moved = column.points(0.0, Move("mean", 0.25))
    assert (moved.mean() - column.points().mean()) / column.sd == pytest.approx(0.25, abs=0.12)
    assert np.array_equal(moved, column.points(0.25))


def test_shares_of_rows_move_as_said():
    column = FEATURES[22]
    before, after = column.points(), column.points(0.0, Move("transfer", 0.05))
    first, second = ((after == name).mean() - (before == name).mean() for name in ("v0", "v1"))
    assert (first, second) == (pytest.approx(-0.05), pytest.approx(0.05))
    assert (column.points(0.0, Move("unseen", 0.01)) == "never seen before").mean() == 0.01
    assert np.isnan(FEATURES[0].points(0.0, Move("null", 0.05))).mean() == 0.05


def test_every_two_columns_of_the_correlated_setting_are_correlated():
    picks = Stream(COLUMNS[:3], "correlated", 20_000).picks(1, RNG)[:, 0]
    normal = stats.norm.ppf((picks + 0.5) / POINTS)
    assert np.corrcoef(normal)[np.triu_indices(3, 1)] == pytest.approx(0.8, abs=0.02)


def test_the_season_has_its_height_and_the_roaming_its_sd():
    season = Stream(COLUMNS, "seasonal", 200).levels(24 * 200, RNG) * STEP
    waves = season.reshape(200, 24, -1).mean(0)
    assert waves.max(0) == pytest.approx(0.1, abs=0.02)
    roaming = Stream(COLUMNS, "autocorrelated", 200).levels(20_000, RNG) * STEP
    assert roaming.std(0) == pytest.approx(0.1, abs=0.02)
    steps = np.mean(roaming[1:] * roaming[:-1], 0) / roaming.var(0)
    assert steps == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("setting", ["i.i.d.", "correlated"])
def test_counts_without_rows_are_those_of_rows(setting):
    stream = Stream(FEATURES, setting, 1000)
    levels = stream.levels(40, RNG)
    parts = list(stream.values(levels, RNG))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    bins = rivals.Bins.of([column.ravel() for column in columns], rivals.deciles)
    drawn = Counted(stream, bins.places, int(bins.starts[-1])).draw(levels, RNG)
    counted = np.stack([bins.counts([column[w] for column in columns]) for w in range(40)])
    assert (np.add.reduceat(drawn, bins.starts[:-1], axis=1) == 1000).all()
    assert drawn.mean(0) == pytest.approx(counted.mean(0), abs=40)
    middle = slice(bins.starts[0], bins.starts[0] + 10)  # ten equal bins
    assert drawn[:, middle].std(0).mean() == pytest.approx(np.sqrt(90), rel=0.2)


def test_a_drift_moves_the_counts_of_its_column_alone():
    stream = Stream(FEATURES, "i.i.d.", 1000)
    bins = rivals.Bins.of([column.points() for column in FEATURES], rivals.deciles)
    counted = Counted(stream, bins.places, int(bins.starts[-1]))
    drawn = counted.draw(stream.levels(50, RNG), RNG, Drift(Move("mean", 9.0), (3,))).mean(0)
    top = [drawn[bins.starts[place] + 9] for place in (2, 3, 4)]
    assert top == [pytest.approx(100, abs=9), 1000, pytest.approx(100, abs=9)]


@pytest.mark.parametrize("place", [0, 7, 9, 15, 17, 18])
def test_distances_between_rows_are_scipys(place):
    reference = RNG.choice(FEATURES[place].points(), 3000)
    sample = RNG.choice(FEATURES[place].points(0.2), 400)
    p, distance = rivals.Sorted.of(reference).compare(sample)
    test = stats.ks_2samp(reference, sample, method="asymp")
    assert p == pytest.approx(test.pvalue, rel=1e-9)
    wasserstein = stats.wasserstein_distance(reference, sample) / reference.std()
    assert distance == pytest.approx(wasserstein, rel=1e-9)


def test_distances_between_counts_are_scipys():
    here, there = RNG.integers(1, 50, (3, 8)), RNG.integers(50, 500, 8)
    js = [jensenshannon(one / one.sum(), there / there.sum(), base=2) for one in here]
    assert rivals.jensen_shannon(here, there) == pytest.approx(js)
    p = [stats.chi2_contingency([one, there], correction=False).pvalue for one in here]
    assert rivals.chi_square(here, there) == pytest.approx(p)
    psi = rivals.population_stability(np.array([[75, 25]]), np.array([50, 50]))
    assert psi == pytest.approx(0.25 * np.log(1.5) - 0.25 * np.log(0.5))


def test_nannymls_bins_hold_the_reference_and_strangers_fall_outside():
    reference = [RNG.standard_normal(2000), np.array(["a", "b"] * 1000, object)]
    bins = rivals.Bins.of(reference, rivals.doane)
    edges = np.histogram_bin_edges(reference[0], bins="doane")
    expected = np.histogram(reference[0], edges)[0]
    assert np.array_equal(bins.counts(reference)[: len(expected)], expected)
    strange = bins.counts([np.array([np.nan, 99.0]), np.array(["c", "a"], object)])
    assert [*strange[bins.starts[1:] - 1], strange[bins.starts[1]]] == [2, 1, 1]


def test_a_model_that_is_sure_errs_as_often_as_said():
    quiet = World(SETTINGS[0], 1000, True).draw(50, RNG)
    wrong = World(SETTINGS[0], 1000, True).draw(50, RNG, Change(0.2))
    assert (quiet.losses.mean(), wrong.losses.mean()) == (
        pytest.approx(0.1, abs=0.01),
        pytest.approx(0.2, abs=0.01),
    )
    one = World(SETTINGS[0], 1000, True, 0.05).draw(50, RNG, Change(0.2, first_slice=True))
    assert (one.slices == 0).mean() == pytest.approx(0.05, abs=0.01)
    assert one.losses[one.slices > 0].mean() == pytest.approx(0.1, abs=0.01)
    assert one.losses[one.slices == 0].mean() == pytest.approx(0.2, abs=0.02)


def test_bad_days_vary_more_than_chance():
    even, bad = (World(setting, 1000, False).draw(400, RNG) for setting in SETTINGS)
    assert bad.labels.mean(1).std() > 1.8 * even.labels.mean(1).std()
    assert bad.arrived.mean(1).std() > 1.1 * even.arrived.mean(1).std()


def test_a_rate_is_bounded_by_what_was_seen():
    assert Quiet("rule", "i.i.d.", 200, 20_000, 0).bound == pytest.approx(1 - 0.05 ** (1 / 20_000))
    parts = [Quiet("rule", "i.i.d.", 200, 10, 1), Quiet("rule", "i.i.d.", 200, 30, 2)]
    assert merged(parts) == [Quiet("rule", "i.i.d.", 200, 40, 3)]


def test_only_rivals_that_keep_the_rate_compete():
    where = "i.i.d.", 200
    quiet = [Quiet(rule, *where, 1000, alarms) for rule, alarms in (("honest", 1), ("loud", 2))]
    delays = [
        Delay(OURS, *where, "drift", [3.0, 3.0, inf]),
        Delay("honest", *where, "drift", [3.0, 2.0, 4.0]),
        Delay("loud", *where, "drift", [1.0]),
    ]
    assert behind(quiet, delays, 1000) == []
    faster = Delay("honest", *where, "drift", [2.0, 2.0, 4.0])
    assert behind(quiet, [delays[0], faster], 1000) == [faster]


def test_a_drift_that_is_not_noticed_has_no_median():
    assert Delay(OURS, "i.i.d.", 200, "drift", [1.0, inf, inf]).median == inf
    never = memoryless(("rule", "i.i.d.", 200, "drift"), [0.0, 0.0], RNG)
    assert (never.median, never.found, never.seen) == (inf, 0.0, 0.0)
    (both,) = pooled([never, memoryless(("rule", "i.i.d.", 200, "drift"), [1.0] * 3, RNG)])
    assert (both.median, both.found, both.seen) == (1.0, 0.6, 0.5)


def test_shapes_take_turns_in_drifting():
    (case,) = (case for case in cases("i.i.d.", 1000) if case.many == 5)
    assert [case.drift(turn).columns for turn in (0, 1, 4)] == [
        (0, 1, 2, 3, 4),
        (5, 6, 7, 8, 9),
        (0, 1, 2, 3, 4),
    ]


def test_the_whole_study_runs(tmp_path):
    main(tmp_path, quick=True, peers=False, processes=2)
    document = json.loads((tmp_path / "drift.json").read_text())
    assert list(document)[:4] == [
        "worst_false_alarm_times_n",
        "worst_false_alarm_times_n_at_most",
        "rows_behind",
        "counting_floor_ratio",
    ]
    assert document["counting_floor_ratio"] > 0
    assert "| drift | setting | n | driftwheel |" in (tmp_path / "drift.md").read_text()
    settings = {row["setting"] for row in document["false_alarms"] if row["rule"] == OURS}
    assert len(settings) >= 6
    assert {row["rule"] for row in document["delays"]} >= {OURS, "PSI > .2", "Evidently, half"}
