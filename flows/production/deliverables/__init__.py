"""The deliverables of a film: joined again, of its finished takes, in other house formats.

The film, its plan and its takes come in; files in the folder of the film go out. Imports the rest of `production`, and
is imported by the flow alone.
"""
