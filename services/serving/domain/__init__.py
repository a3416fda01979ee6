"""Pure functions: which version decides, and what a score decides."""
