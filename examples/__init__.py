"""Use cases that run on Driftwheel: a declaration and a replayer each, known to no service."""
