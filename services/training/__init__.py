"""Training: keeps outcomes, decides when to train, trains."""
