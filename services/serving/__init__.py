"""Answers every validated event with a prediction of the version in force."""
