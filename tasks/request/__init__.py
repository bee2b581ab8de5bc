"""From a shot of a storyboard to the exact request for a service. `build` chooses mode, attachments, prompt and sold
length for each take; what the service cannot do is raised as `unsupported`; `brief` keeps the author's words beside an
order. In come a storyboard, a shot and the class of a service; out go requests. Imports `specs`, `providers` and the
probing of `media`; `flows.planning` calls it.
"""
