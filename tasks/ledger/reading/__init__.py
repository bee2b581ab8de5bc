"""Reading the ledger, in plain SQL that SQLite and PostgreSQL both take: purchases, events, sums of money, verdicts.

In comes a `Connection`, which a transaction has, or `sqlite` without SQLAlchemy, for the commands that only look; out
go models. `queries` has the methods. Imports the models of the ledger only.
"""
