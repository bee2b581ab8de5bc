"""The parts of a finished film that are laid over its clips, placed in its cut: sound, and subtitles in each language.

A film, its cut and the lengths of what is said come in. Imports `specs` and `tasks`; buys nothing.
"""
