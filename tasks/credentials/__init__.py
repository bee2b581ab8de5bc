"""Content Credentials (C2PA): what a film is made of, signed and stored in its file; and reading them from any file.

`claim` is what is said, `certificate` who signs, `sign` writes a signed copy of a file, `read` reads and checks one.
`library` finds c2pa-python, which the extra `credentials` installs. Imports `settings`, `storage` and `specs`.
"""
