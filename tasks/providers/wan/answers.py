"""DashScope's answers about tasks and errors, for its own adapter and for APIYI, which passes them on.

Source: Model Studio's pages on asynchronous tasks and on error codes, read 2026-11-21.
"""

from __future__ import annotations

from storyreel.tasks.providers.answer_table import TaskForm

TASK_FORM = TaskForm(
    word=("output", "task_status"),
    tasks=(("output", "task_id"),),
    queued=("pending",),
    # `suspended` is a constant of its SDK alone, dashscope 2.0.2.
    running=("running", "suspended"),
    finished=("succeeded",),
    # A failure, too, comes as HTTP 200.
    failed=("failed", "canceled"),
    # An id of more than 24 hours ago, or of another account.
    forgotten=("unknown",),
)

INTERNAL_CODES = ("InternalError", "RequestTimeOut", "RewriteFailed", "ModelUnavailable", "ModelServingError")
"""Beginnings of the codes of faults inside the service. They do not tell whether an order was carried out."""
