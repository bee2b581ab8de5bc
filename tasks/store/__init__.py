"""What was asked for, what it cost, and the clips themselves."""
