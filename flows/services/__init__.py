"""What the services can do and cost, which of them can make a film, the exact request of a shot, and their webhooks."""
