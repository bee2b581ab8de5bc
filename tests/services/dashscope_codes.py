"""DashScope's error codes, from Model Studio's page on error codes."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, tuple[int, str]] = {
    "InvalidParameter": (400, "The request is missing required parameters or has parameters out of range."),
    "DataInspectionFailed": (400, "Input data may contain inappropriate content."),
    "IPInfringementSuspect": (400, "Input data is suspected of being involved in IP infringement."),
    "CustomRoleBlocked": (400, "Input or output data may contain inappropriate content with custom rule."),
    "InvalidParameter.DataInspection": (
        400,
        "Unable to download the media resource during the data inspection process.",
    ),
    "InvalidURL": (400, "Invalid URL provided in your request."),
    "InvalidURL.ConnectionRefused": (400, "Connection to the provided URL was refused."),
    "InvalidURL.Timeout": (400, "The download of the provided URL timed out."),
    "InvalidImage.FileFormat": (400, "Invalid image type."),
    "InvalidImage.ImageSize": (400, "The size of image is beyond limit."),
    "InvalidFile.Size": (400, "Invalid file size."),
    "InvalidFile.Duration": (400, "Invalid file duration."),
    "InvalidFile.Format": (400, "Invalid file format."),
    "InvalidFile.AspectRatio": (400, "Invalid file aspect ratio."),
    "InvalidFile.Openerror": (400, "Invalid file, cannot open file as video."),
    "BadRequest.EmptyInput": (400, "Required input parameter missing from request."),
    "BadRequest.EmptyModel": (400, 'Required parameter "model" missing from request.'),
    "BadRequest.EmptyParameters": (400, 'Required parameter "parameters" missing from request.'),
    "BadRequest.IllegalInput": (400, "The input parameter requires json format."),
    "BadRequest.InputDownloadFailed": (400, "Failed to download the input file."),
    "BadRequest.TooLarge": (400, "Payload Too Large"),
    "Arrearage": (400, "Access denied, please make sure your account is in good standing."),
    "UnsupportedOperation": (400, "Failed to cancel the task, please confirm if the task is in PENDING status."),
    "InvalidApiKey": (401, "Invalid API-key provided."),
    "AccessDenied": (403, "Access denied."),
    "AccessDenied.Unpurchased": (403, "Access to model denied. Please make sure you are eligible for using the model."),
    "Model.AccessDenied": (403, "Model access denied."),
    "Workspace.AccessDenied": (403, "Workspace access denied."),
    "AllocationQuota.FreeTierOnly": (403, "The free tier of the model has been exhausted."),
    "ModelNotFound": (404, "Model not exist."),
    "NotFound": (404, "Not found!"),
    "Throttling": (429, "Requests throttling triggered."),
    "Throttling.RateQuota": (429, "Requests rate limit exceeded, please try again later."),
    "Throttling.BurstRate": (429, "Request rate increased too quickly."),
    "Throttling.AllocationQuota": (429, "Allocated quota exceeded, please increase your quota limit."),
    "CommodityNotPurchased": (429, "Commodity has not purchased yet."),
    "PrepaidBillOverdue": (429, "The prepaid bill is overdue."),
    "PostpaidBillOverdue": (429, "The postpaid bill is overdue."),
    "InternalError": (500, "An internal error has occured, please try again later or contact service support."),
    "InternalError.Algo": (500, "An internal error has occured during execution, please try again later."),
    "InternalError.Upload": (500, "Failed to upload result."),
    "InternalError.Timeout": (500, "An internal timeout error has occured during execution."),
    "RequestTimeOut": (500, "Request timed out, please try again later."),
    "RewriteFailed": (500, "Failed to rewrite content for prompt."),
    "ModelUnavailable": (503, "Model is unavailable, please try again later."),
    "ModelServingError": (503, "Too many requests. Your requests are being throttled due to system capacity limits."),
}
"""HTTP status and message by code. A failed task has the same codes in `output.code`, under HTTP 200."""

BY_STATUS = {
    400: "InvalidParameter",
    401: "InvalidApiKey",
    403: "AccessDenied",
    404: "NotFound",
    429: "Throttling.RateQuota",
    500: "InternalError",
    503: "ModelUnavailable",
}
"""The code of a status unless another is planned; what a gateway sends by itself has none."""
