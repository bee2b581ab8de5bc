"""Wan 2.7, which all services here sell: what it takes, how Alibaba's form of an order is written, and its answers.

Requests and answers come in; bodies of orders and tables of answers go out. Imports `capability`, `hosted`,
`answer_table`, `request` and `http`.
"""
