"""Procurement: from a take's request to its clip in the store, by an order that is sent once and paid once.

The ledger, the store and a service come in with the `Studio`; a `Clip` goes out, or an error of `providers.errors`.
Does not import Prefect.
"""
