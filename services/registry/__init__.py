"""The registry: declarations, versions and releases; its state is its log."""
