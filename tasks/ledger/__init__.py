"""The record of every purchase, in SQLite or PostgreSQL: an order is committed before it is sent, its outcome after.

In come orders, outcomes and verdicts of runs; out go purchases, their history and sums of money. `ledger.Ledger` is
the class to use; `orders` and `settlement` are its parts, with the queries of `reading`; a `transaction` changes one
row and adds an event; `schema` defines the tables. Imports `specs` and `tasks.polling` only: neither a service nor
Prefect.
"""
