"""Joins predictions with the labels that arrive late, measures, and notices drift."""
