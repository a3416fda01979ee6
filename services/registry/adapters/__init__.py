"""What the registry does to the world outside its topics."""
