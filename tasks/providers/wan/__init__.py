"""Alibaba's models, Wan 2.7 with its pictures, Wan 3.0, HappyHorse and Qwen's speech, which the services here sell:
what each takes, how its form of an order is written, and its answers.

Requests and answers come in; bodies of orders and tables of answers go out. Imports `capability`, `hosted`,
`answer_table`, `request` and `http`.
"""
