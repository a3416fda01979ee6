"""Where the memory is kept."""
