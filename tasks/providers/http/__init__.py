"""HTTP with a service. `client` sends requests and decides what each response proves, `response` reads JSON bodies,
`download` fetches a finished clip from a host in `allowed_hosts`, `local_files` makes a file of this machine reachable
for a service. In come addresses, bodies and files; out go JSON, files and the errors of `providers.errors`. Imports
those, `providers.refusals` and `bucket`.
"""
