"""The world as training needs it: Delta Lake and child processes."""
