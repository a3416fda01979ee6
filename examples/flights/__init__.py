"""Will a flight leaving New York land more than 15 minutes late, asked an hour before schedule."""
