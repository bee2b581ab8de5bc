"""Services: what the installed ones can do, which can make a shot, the request that they would get, their callbacks.

`catalogue`, `compatibility` and `explain` take storyboards, plans and the environment and return models that commands
print or show as JSON; they send nothing. `webhooks` receives callbacks. Imports `planning`, `specs` and `tasks`.
"""
