"""Approval of takes by a person: what waits for a word, the form that asks for it, suspending a run and resuming it."""
