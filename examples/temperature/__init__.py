"""The temperature at New York's airports 24 hours ahead."""
