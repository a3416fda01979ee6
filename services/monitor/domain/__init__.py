"""Pure functions and values: labels of an id, watermarks, window sums, drift."""
