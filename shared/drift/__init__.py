"""Drift with a promise: histograms over the cells of a baseline, and evidence from them alone."""
