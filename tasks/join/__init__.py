"""The steps by which clips become one sequence: pieces of picture, the sound track, the mix, the mux, and the check of
the master. Called by `conform`, `dissolve` and `assemble`; imports `media` and `specs`.
"""
