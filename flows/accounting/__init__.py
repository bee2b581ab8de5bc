"""Reports on the ledger: lists of purchases, what was spent, and orders whose outcome is unknown.

Reads the ledger of a `Home`; `reconcile` also asks the services for their lists of tasks and changes the ledger. Uses
neither Prefect nor plans, and may import no other room of flows.
"""
