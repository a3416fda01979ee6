"""Pure functions over columns of records, ids and windows."""
