"""Colours that drift between the shots of a scene: measured, shown in a picture, with a proposed grade; and the parts
of each shot that deliverables of another shape keep.

A planned film comes in; numbers, proposals and a picture go out. Nothing is changed. Imports `planning`,
`production.film_folder`, `terminal` and `tasks`.
"""
