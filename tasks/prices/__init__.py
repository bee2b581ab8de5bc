"""The price of a request: by the price list of this package, and over it the user's own price file.

Imports `specs` and `providers`; gives `Quote`s to the plan, and the cost of billed seconds to the ledger.
"""
