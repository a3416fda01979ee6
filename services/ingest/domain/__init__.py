"""What a request holds and whether there is room for it: pure functions."""
