"""What the ledger knows, for people: purchases, spending, and orders whose fate is unknown."""
