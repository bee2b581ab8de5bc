"""The takes of a film as a storyboard and the verdicts ask for them, each with its request, key and price.

A film, its history and a price list come in; planned takes without states go out. Imports `specs` and `tasks`.
"""
