"""The usual rules, as their documentation and their default settings have them.

PSI > .2: ten reference deciles, an empty bin counts as half a row; any column. NannyML:
Jensen-Shannon distance (base 2) on Doane's bins; alarm outside mean +- 3 sd of the reference's
chunks, or above .1, a constant threshold; any column. Evidently, for references of more than 1,000
rows: Wasserstein distance over the reference's sd >= .1 for numbers, Jensen-Shannon distance >= .1
for categories; the data have drifted when half of the columns have. KS and chi-square: two samples,
.05 over the number of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from tests.benchmarks.drift.columns import Values

Counts = NDArray[np.int64]  # (windows, width)
Alarms = NDArray[np.bool_]  # (windows,)
Judged = Mapping[str, Alarms]
Table = NDArray[np.float64]  # (windows, columns) or (windows, bins)

PSI_LIMIT, JS_LIMIT, WASSERSTEIN_LIMIT, SHARE, LEVEL, SPREAD = 0.2, 0.1, 0.1, 0.5, 0.05, 3.0


@dataclass(frozen=True)
class Bins:
    """Bins of every column, fixed by a reference; what lies in none has a last bin of its own."""

    edges: Sequence[NDArray[np.float64] | Mapping[str, int]]

    @classmethod
    def of(cls, reference: Sequence[Values], edges: Callable[[Values], Values]) -> Bins:
        """Fix numbers by `edges`, categories by the values that occur."""
        return cls(
            [
                {value: place for place, value in enumerate(sorted(set(column)))}
                if column.dtype == object
                else edges(column[~np.isnan(column)])
                for column in reference
            ]
        )

    @property
    def starts(self) -> NDArray[np.intp]:
        """First flat bin of each column, and their end."""
        sizes = [len(one) + isinstance(one, Mapping) for one in self.edges]
        return np.concatenate([[0], np.cumsum(sizes)])

    def places(self, columns: Sequence[Values]) -> NDArray[np.intp]:
        """Place values: (n, columns) flat bins."""
        return np.stack(
            [
                start + _placed(column, edges)
                for column, edges, start in zip(columns, self.edges, self.starts, strict=False)
            ],
            axis=1,
        )

    def counts(self, columns: Sequence[Values]) -> Counts:
        """Count one sample: (width,)."""
        return np.bincount(self.places(columns).ravel(), minlength=self.starts[-1])

    def by_column(
        self, one: Callable[[Counts, Counts], Table], counts: Counts, of: Counts
    ) -> Table:
        """Compare each column of windows with its reference counts: (windows, columns)."""
        parts = zip(self.starts[:-1], self.starts[1:], strict=True)
        return np.stack([one(counts[:, low:high], of[low:high]) for low, high in parts], axis=1)


def _placed(column: Values, edges: Values | Mapping[str, int]) -> NDArray[np.intp]:
    if isinstance(edges, Mapping):
        return np.array([edges.get(value, len(edges)) for value in column])
    inside = (column >= edges[0]) & (column <= edges[-1])
    bins = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, len(edges) - 2)
    return np.where(inside, bins, len(edges) - 1)


def deciles(column: Values) -> Values:
    """Cut at the reference's deciles; the ends are open."""
    inner = np.unique(np.quantile(column, np.arange(1, 10) / 10))
    return np.concatenate([[-np.inf], inner, [np.inf]])


def doane(column: Values) -> Values:
    """Cut as numpy does by Doane's rule."""
    return np.histogram_bin_edges(column, bins="doane")


def population_stability(counts: Counts, reference: Counts) -> Table:
    """PSI of each window, in nats: (windows,)."""
    here = np.maximum(counts, 0.5) / counts.sum(1, keepdims=True)
    there = np.maximum(reference, 0.5) / reference.sum()
    gone = (counts == 0) & (reference == 0)
    return np.where(gone, 0.0, (here - there) * np.log(here / there)).sum(1)


def jensen_shannon(counts: Counts, reference: Counts) -> Table:
    """Jensen-Shannon distance of each window, base 2: (windows,)."""
    here, there = counts / counts.sum(1, keepdims=True), reference / reference.sum()
    middle = (here + there) / 2
    nats = special.rel_entr(here, middle).sum(1) + special.rel_entr(there, middle).sum(1)
    return np.sqrt(np.maximum(nats, 0.0) / 2 / np.log(2))


def chi_square(counts: Counts, reference: Counts) -> Table:
    """P-value of two samples over the values either of them has: (windows,)."""
    n, m = counts.sum(1, keepdims=True), reference.sum()
    both = counts + reference
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = (counts * np.sqrt(m / n) - reference * np.sqrt(n / m)) ** 2 / both
    freedom = np.maximum((both > 0).sum(1) - 1, 1)
    return special.chdtrc(freedom, np.nansum(terms, axis=1))


@dataclass(frozen=True)
class Binned:
    """Rules that need a window's counts alone."""

    bins: Bins
    judge: Callable[[Counts], Judged]


def psi(reference: Sequence[Values]) -> Binned:
    """PSI > .2 on any column."""
    bins = Bins.of(reference, deciles)
    known = bins.counts(reference)
    return Binned(
        bins,
        lambda counts: {
            "PSI > .2": (bins.by_column(population_stability, counts, known) > PSI_LIMIT).any(1)
        },
    )


def nannyml(reference: Sequence[Values], chunks: int) -> Binned:
    """Measure how NannyML's two thresholds judge, any column; the reference comes in chunks."""
    bins = Bins.of(reference, doane)
    known = bins.counts(reference)
    parts = [np.array_split(column, chunks) for column in reference]
    own = np.stack([bins.counts(chunk) for chunk in zip(*parts, strict=True)])
    normal = bins.by_column(jensen_shannon, own, known)
    middle, spread = normal.mean(0), SPREAD * normal.std(0)

    def judge(counts: Counts) -> Judged:
        distances = bins.by_column(jensen_shannon, counts, known)
        return {
            "NannyML 3 sd": (np.abs(distances - middle) > spread).any(1),
            "NannyML .1": (distances > JS_LIMIT).any(1),
        }

    return Binned(bins, judge)


@dataclass(frozen=True)
class Sorted:
    """A number's reference: distinct values, cumulative shares, and the integral of quantiles."""

    values: Values
    shares: Values
    areas: Values
    sd: float
    size: int

    @classmethod
    def of(cls, column: Values) -> Sorted:
        """Sort, nulls left out."""
        kept = column[~np.isnan(column)]
        values, counts = np.unique(kept, return_counts=True)
        shares = np.cumsum(counts) / len(kept)
        areas = np.cumsum(values * counts) / len(kept)
        return cls(values, shares, areas, float(kept.std()), len(kept))

    def compare(self, sample: Values) -> tuple[float, float]:
        """Compare a sample: p-value of Kolmogorov-Smirnov, Wasserstein distance over the sd."""
        x = np.sort(sample[~np.isnan(sample)])
        n = len(x)
        right = np.searchsorted(self.values, x, side="right")
        left = np.searchsorted(self.values, x, side="left")
        shares = np.concatenate([[0.0], self.shares])
        above = np.searchsorted(x, x, side="right") / n - shares[right]
        below = shares[left] - np.searchsorted(x, x, side="left") / n
        apart = max(above.max(), below.max(), 0.0)
        weight = round(n * self.size / (n + self.size))
        return float(stats.kstwo.sf(apart, weight)), self._transport(x, shares[right]) / self.sd

    def _transport(self, x: Values, shares: Values) -> float:
        """Integrate |reference quantile - sample quantile|; a step may hold one crossing."""
        steps = np.arange(len(x) + 1) / len(x)
        crossing = np.clip(shares, steps[:-1], steps[1:])
        at_steps, at_crossing = self._area(steps), self._area(crossing)
        below = x * (crossing - steps[:-1]) - (at_crossing - at_steps[:-1])
        above = (at_steps[1:] - at_crossing) - x * (steps[1:] - crossing)
        return float((below + above).sum())

    def _area(self, shares: Values) -> Values:
        """Integrate the reference's quantile function from 0."""
        return np.interp(shares, np.concatenate([[0.0], self.shares]), np.r_[0.0, self.areas])


def by_rows(reference: Sequence[Values]) -> Callable[[Sequence[Values]], Judged]:
    """Fix the rules that need rows; they then judge parts of (windows, rows) per column."""
    numbers = {
        place: Sorted.of(column) for place, column in enumerate(reference) if column.dtype != object
    }
    categories = [place for place in range(len(reference)) if place not in numbers]
    bins = Bins.of([reference[place] for place in categories], doane)
    known = bins.counts([reference[place] for place in categories])

    def judge(columns: Sequence[Values]) -> Judged:
        pairs = np.array(
            [[own.compare(row) for row in columns[place]] for place, own in numbers.items()]
        )
        windows = range(len(columns[0]))
        counts = np.stack(
            [bins.counts([columns[place][window] for place in categories]) for window in windows]
        )
        p = np.vstack([pairs[:, :, 0], bins.by_column(chi_square, counts, known).T])
        distance = bins.by_column(jensen_shannon, counts, known).T
        moved = np.vstack([pairs[:, :, 1] >= WASSERSTEIN_LIMIT, distance >= JS_LIMIT])
        return {
            "Evidently, half": moved.mean(0) >= SHARE,
            "Evidently, any": moved.any(0),
            "KS/chi2 Bonferroni": (p < LEVEL / len(p)).any(0),
        }

    return judge
