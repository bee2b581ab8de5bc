"""From a shot of a storyboard to the exact request that a service is sent: the prompt, the attachments, and what of it
a service cannot take (`Unfit`). Imports `specs` and `providers`; `flows.planning` calls it.
"""
