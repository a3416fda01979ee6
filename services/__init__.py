"""The services: each knows the others through `contracts` alone."""
