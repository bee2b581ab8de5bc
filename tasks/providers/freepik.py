"""Freepik, also called Magnific: one service on two hosts, with signed webhooks and a list of tasks.

Source: its pages on Wan 2.7, Happy Horse, Seedream 4.5, authentication and webhooks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.answer_table import AnswerTable, Meaning, Rule, TaskForm
from storyreel.tasks.providers.capability import Capability, model_of
from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider, listed_task
from storyreel.tasks.providers.http.response import text_at, url_part, value_at
from storyreel.tasks.providers.provider import RemoteTask, Submission, TaskStatus
from storyreel.tasks.providers.request import Attachment, Request
from storyreel.tasks.providers.sent_file import SentFile
from storyreel.tasks.providers.wan.capabilities import WAN, happy_horse, wan
from storyreel.tasks.settings import Settings

ANSWERS = AnswerTable(
    # Its pages on Wan 2.7, and on webhooks: four words. Read 2026-11-21.
    forms=(
        TaskForm(
            word=("data", "status"),
            tasks=(("data", "task_id"),),
            queued=("created",),
            running=("in_progress",),
            finished=("completed",),
            failed=("failed",),
        ),
    ),
    new_task=(("data", "task_id"),),
    # Its pages on Wan 2.7: 400 as `{message}` or as a problem with `invalid_params`, 401 as `{message}`; of 404 and 429
    # the statuses alone. Read 2026-11-21. 402, 403 and 422 are not listed; in its form they say the same.
    messages=(("message",), ("problem", "message")),
    rules=(
        Rule(meaning=Meaning.BUSY, statuses=frozenset({429}), without_body=True),
        Rule(meaning=Meaning.KEY, statuses=frozenset({401})),
        Rule(meaning=Meaning.UNPAID, statuses=frozenset({402}), hint="buy credits for Freepik's API"),
        Rule(
            meaning=Meaning.UNPAID,
            statuses=frozenset({403}),
            words=("credit", "balance", "payment", "quota"),
            hint="buy credits for Freepik's API",
        ),
        Rule(meaning=Meaning.DENIED, statuses=frozenset({403})),
        Rule(meaning=Meaning.NOT_FOUND, statuses=frozenset({404, 410})),
        # An order that is answered without a word may have met a gateway.
        Rule(meaning=Meaning.NOT_FOUND, statuses=frozenset({404}), without_body=True, of_orders=False),
        Rule(meaning=Meaning.REFUSED),
    ),
)

# Its list of endpoints at docs.magnific.com (`…/happy-horse-1-1` and `/v1/ai/video-edit/happy-horse-1`), as indexes of
# its OpenAPI file repeat it, read 2026-11-29. In which form an edit's pictures are listed is not in them.
_HAPPY_HORSE = dict.fromkeys((Mode.REFERENCE, Mode.IMAGE, Mode.TEXT), "happy-horse-1-1") | {Mode.EDIT: "happy-horse-1"}
_HAPPY_HORSE_DIFFERS: Mapping[Mode, Any] = {Mode.REFERENCE: {"watermark": True}, Mode.EDIT: {"images": 0}}


# Its pages "Create image - Seedream 4.5" and "Edit image - Seedream 4.5", read 2026-11-29: JPG and PNG of 10 MB and 256
# pixels a side at least. The most that the model takes is its maker's: 6000 pixels, 1:16 to 16:1.
_PICTURES = WAN.model_copy(
    update={
        "image_formats": ("JPEG", "PNG"),
        "alpha": True,
        "image_bytes": 10_000_000,
        "image_sides": (256, 6000),
        "shape": 16,
    }
)
_SHAPES: Mapping[str, str] = {
    "16:9": "widescreen_16_9",
    "9:16": "social_story_9_16",
    "1:1": "square_1_1",
    "4:3": "classic_4_3",
    "3:4": "traditional_3_4",
}
_EDIT = "-edit"
"""End of the name under which a model works from pictures."""


class Freepik(HostedProvider):
    """api.freepik.com or api.magnific.com."""

    name = "freepik"
    default_base_url = "https://api.freepik.com"
    min_poll_seconds = 2
    max_concurrent = 5
    answers = ANSWERS
    # A watermark is not documented for Wan 2.7, and a negative prompt for reference-to-video alone. Indexes of its
    # OpenAPI file, read 2026-11-29, list `negative_prompt` for the other modes too; a note in the prompt says the same.
    # They list edits by Wan 2.7, of which no page that could be read says what becomes of the sound.
    models: ClassVar = {
        "wan2.7": model_of(
            wan(
                Mode.REFERENCE,
                "wan-2-7",
                durations=tuple(range(2, 11)),
                durations_with_video=None,
                uploads=True,
                watermark=False,
            ),
            wan(
                Mode.IMAGE,
                "wan-2-7",
                negative_prompt=False,
                negative_length=None,
                uploads=True,
                last_frame=True,
                watermark=False,
            ),
            wan(Mode.TEXT, "wan-2-7", negative_prompt=False, negative_length=None, watermark=False, uploads=True),
        ),
        "happyhorse-1.1": happy_horse(_HAPPY_HORSE, _HAPPY_HORSE_DIFFERS, watermark=False, uploads=True),
        "seedream-4.5": model_of(
            Capability(
                mode=Mode.STILL,
                model="seedream-v4-5",
                durations=(0,),
                resolutions=("1080p",),
                images=14,
                videos=0,
                first_frame=False,
                negative_prompt=False,
                prompt_length=4096,
                media=_PICTURES,
                uploads=True,
            )
        ),
    }

    def __init__(self, environment: Mapping[str, str] = os.environ, *, timeout: float = 60) -> None:
        super().__init__(environment, timeout=timeout)
        self._webhook = Settings.read(environment).webhook_url
        self.sends_webhooks = bool(self._webhook)

    def headers(self, key: str) -> dict[str, str]:
        """The key, under the name that the host expects."""
        host = urlsplit(self.base).hostname or ""
        return {"x-magnific-api-key" if host.endswith("magnific.com") else "x-freepik-api-key": key}

    def submit_path(self, request: Request) -> str:
        return _path(request.mode, _sold_as(request))

    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        """Flat, each reference of a clip in an object."""
        body = self._picture_body(request, urls) if request.mode is Mode.STILL else self._clip_body(request, urls)
        if self._webhook:
            body["webhook_url"] = self._webhook
        return body

    def _picture_body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        body: dict[str, Any] = {
            "prompt": request.prompt,
            "aspect_ratio": _SHAPES[request.aspect_ratio],
            "seed": request.seed,
        }
        if request.references:
            body["reference_images"] = [urls[reference.kind, reference.digest] for reference in request.references]
        return body

    def _clip_body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        body: dict[str, Any] = {
            "prompt": request.prompt,
            "resolution": request.resolution.upper(),
            "duration": int(request.seconds),
            "seed": request.seed,
        }
        capability = self.capability_of(request)
        if capability.prompt_expansion:
            body["additional_settings"] = {"prompt_extend": request.expand_prompt}
        if capability.watermark:
            body["watermark"] = request.watermark
        if request.negative_prompt:
            body["negative_prompt"] = request.negative_prompt
        if request.mode not in (Mode.IMAGE, Mode.EDIT):
            body["aspect_ratio"] = request.aspect_ratio
        if request.first_frame and request.mode is not Mode.TEXT:
            field = "image_url" if capability.form == "all in one" else "start_image_url"
            body[field] = urls["first_frame", request.first_frame.digest]
        if request.edited:
            # It is made as long as the clip.
            del body["duration"]
            body |= {"video_url": urls["edited", request.edited.digest], "audio_setting": request.audio}
        if request.first_clip and request.mode is Mode.IMAGE:
            body["video_url"] = urls["first_clip", request.first_clip.digest]
        if request.last_frame and request.mode is Mode.IMAGE:
            body["end_image_url"] = urls["last_frame", request.last_frame.digest]
        if request.sound and request.mode is not Mode.REFERENCE:
            body["audio_url"] = urls["sound", request.sound.digest]
        if request.mode is Mode.REFERENCE:
            for field, kind in (("image_urls", "image"), ("video_urls", "video")):
                if items := [_reference(item, urls) for item in request.references if item.kind == kind]:
                    body[field] = items
        return body

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The id with the mode before it, as a task is polled under the path of its mode and model."""
        task = self.answers.task_in(answer)
        return Submission(task=self._task(request.mode, _sold_as(request), task) if task else "")

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """Raises Terminal if the id has no mode before it."""
        mode, model, number = _parts(task)
        if not (mode in self.capabilities or (model and mode in list(Mode))):
            modes = ", ".join(f"{mode}/…" for mode in self.capabilities)
            what = f"{self.name} cannot be asked for the task {task}, whose mode is not known"
            hint = f"write it as one of {modes}, {', '.join(f'{Mode.STILL}:{model}/…' for model in self._still_models)}"
            raise Terminal(what, service=self.name, hint=hint, next="storyreel reconcile")
        model = model or self.capabilities[Mode(mode)].model
        return f"{_path(Mode(mode), model)}/{url_part(number)}", {}

    def id_at_service(self, task: str) -> str:
        """The id without the mode and model."""
        return _parts(task)[2]

    def read_finished(self, answer: Any, word: str) -> TaskStatus:
        return TaskStatus(state="finished", detail=word, clip_url=text_at(answer, "data", "generated", 0))

    def read_reason(self, answer: Any) -> tuple[str, str]:
        """Its form is not documented."""
        reasons = (text_at(answer, "data", *path) for path in (("message",), ("error", "message"), ("error",)))
        return text_at(answer, "data", "error", "code"), next(filter(None, reasons), "")

    async def list_tasks(self, since: datetime, until: datetime) -> list[RemoteTask] | None:
        """The ids and words of all tasks. There is a list for each mode and model, and none has dates."""
        found = []
        sold = (each for model in self._models.values() for each in model.modes.values())
        lists: list[tuple[Mode, str, str]] = [
            (each.mode, each.model, each.model) for each in sold if each.mode is not Mode.STILL
        ]
        lists += [(Mode.STILL, model.removesuffix(_EDIT), model) for model in self._still_models]
        for mode, model, path in dict.fromkeys(lists):
            entries = value_at(await self._client.get(_path(mode, path)), "data")
            if not isinstance(entries, list):
                raise Transient(f"{self.name} gave no list of tasks", service=self.name)
            found += [
                RemoteTask(
                    task=self._task(mode, path, listed_task(self.name, entry)),
                    model=model,
                    mode=mode,
                    detail=text_at(entry, "status").lower(),
                )
                for entry in entries
            ]
        return found

    async def upload(self, file: SentFile, model: str) -> str:
        """Put the file to a presigned address."""
        from storyreel.tasks.providers.http.local_files import upload_file

        kind = file.kind.media_type
        answer = await self._client.post("/v1/ai/uploads/request-url", {"files": [{"content_type": kind}]})
        address, asset = _upload_addresses(answer)
        if not address or not asset:
            raise Transient(f"{self.name} gave no address to upload {file.path.name} to", service=self.name)
        headers = {"Content-Type": kind}
        name, content = file.path.name, file.content
        await upload_file(
            "PUT", address, service=self.name, hosts=self.hosts, what=name, content=content, headers=headers
        )
        return asset

    def _task(self, mode: Mode, model: str, number: str) -> str:
        """The id as it is stored: with its mode, and with its model if that is not the default one."""
        usual = self.capabilities.get(mode)
        return f"{mode.value}/{number}" if usual and model == usual.model else f"{mode.value}:{model}/{number}"

    @property
    def _still_models(self) -> list[str]:
        """Its names of the models that make pictures, and of each as it works from pictures."""
        sold = (model.modes[Mode.STILL].model for model in self._models.values() if Mode.STILL in model.modes)
        return [name for model in dict.fromkeys(sold) for name in (model, f"{model}{_EDIT}")]


def _parts(task: str) -> tuple[str, str, str]:
    """Mode, model and id at the service of a stored id; the first two empty if it has none."""
    before, slash, number = task.partition("/")
    mode, _, model = before.partition(":")
    return (mode, model, number) if slash else ("", "", number)


def _path(mode: Mode, model: str) -> str:
    return f"/v1/ai/{'text-to-image' if mode is Mode.STILL else mode.value}/{model}"


def _sold_as(request: Request) -> str:
    """Its name of the model of a request: one that works from pictures has another."""
    return f"{request.model}{_EDIT}" if request.mode is Mode.STILL and request.references else request.model


def _reference(reference: Attachment, urls: AttachmentUrls) -> dict[str, str]:
    item = {"url": urls[reference.kind, reference.digest]}
    if reference.voice:
        item["reference_voice"] = urls["voice", reference.voice.digest]
    return item


def _upload_addresses(answer: Any) -> tuple[str, str]:
    """The addresses to put a file to and to read it from, or empty. Where their list is, is not fully published."""
    for path in (("data",), ("files",), ("data", "files")):
        if address := text_at(answer, *path, 0, "upload_url"):
            return address, text_at(answer, *path, 0, "asset_url")
    return "", ""
