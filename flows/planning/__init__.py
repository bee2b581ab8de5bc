"""From a storyboard to a plan: for every take the request, its key, its state, the reason and the price. Reads the
ledger, buys nothing, imports no Prefect.
"""
