"""What training hears and what it says."""
