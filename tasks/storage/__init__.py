"""Files that must outlive a run: the clip store, its bucket, answers that could not be used; writing and reading them.

`digests` hashes a file once in a process; `files` writes so that a crash leaves the old content or the new; `disk`
tells of a full or read-only disk.
"""
