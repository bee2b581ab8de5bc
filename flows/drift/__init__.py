"""How colours drift between the shots of a scene: measured, shown in a picture, and a grade proposed; and what
deliverables of another shape keep of each shot.

A planned film comes in; numbers, proposals and a picture go out. Nothing is changed. Imports `planning`,
`production.film_folder`, `terminal` and `tasks`.
"""
