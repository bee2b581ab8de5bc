"""The sound of a film: of its clips, layers over them, the mix, its level, and its encoding in pieces.

The cut, raw samples and sound files come in; packets of AAC in the house cache go out. Each part is known by a digest
of what it is made from before anything is read. Imports `pieces` of the room above, `media`, `storage` and `specs`.
"""
