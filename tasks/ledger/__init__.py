"""The record of every purchase, in SQLite or PostgreSQL: an order is committed before it is sent, and its outcome right
after. Knows no service and no Prefect; imports `specs`.
"""
