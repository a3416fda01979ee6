"""Pure rules and mathematics of training."""
