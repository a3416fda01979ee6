"""Pure functions over one record, one id, one window."""
