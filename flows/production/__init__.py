"""A run at work: takes as Prefect tasks in the order of what continues what, the sequence, the manifest, the delivery,
and an orderly end. Takes a plan; gives a `Rendering`.
"""
