"""What other policies would have brought: the log replayed through the code that runs."""
