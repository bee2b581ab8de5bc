"""Examines clips: is the file intact, is it what was ordered, are there faults in picture or sound?

A clip goes in, an `Examination` comes out: it is decoded once, and what it has shown is kept beside it. From that,
its request and what the film wants of it, `inspect` finds faults. `colours` measures a few frames of a clip as the film
shows them, `interest` where in them something happens, and `colour_page` draws them side by side. Imports `media`,
`providers`, `storage` and `specs`.
"""
