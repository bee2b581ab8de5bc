"""What a request costs: the price list that comes with the package, and the user's own price file. Imports `specs` and
`providers`; gives `Quote`s to the plan and the ledger.
"""
