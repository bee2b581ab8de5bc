"""The JSON Schema of a storyboard, for editors: completion, descriptions, errors while typing.

A storyboard names it in its first line:

    # yaml-language-server: $schema=storyboard.schema.json

The schema describes a file whose `${variables}` are filled in. It does not check what needs several values at once
(an unknown name, a circle of shots) or other files; `validation` does. `python -m storyreel.specs.schema` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from storyreel.specs.frozen import field_descriptions, fields_of
from storyreel.specs.storyboard import Storyboard

PUBLISHED = Path(__file__).with_name("storyboard.schema.json")
"""The schema file of the package."""


def generate() -> dict[str, Any]:
    """The schema of a storyboard, draft 2020-12."""
    schema = Storyboard.model_json_schema(schema_generator=_Generator)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Storyreel storyboard",
        **{key: value for key, value in schema.items() if key not in ("title", "$defs")},
        "oneOf": [{"required": ["scenes"]}, {"required": ["shots"]}],
        "$defs": schema["$defs"],
    }


class _Generator(GenerateJsonSchema):
    """The schema of the models, without titles and defaults that only repeat something."""

    def generate(self, schema: core_schema.CoreSchema, mode: Any = "validation") -> JsonSchemaValue:
        tidy: JsonSchemaValue = _tidy(super().generate(schema, mode))
        return tidy

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The schema of a model, with the descriptions of its fields."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, text in field_descriptions(model).items():
            found = made["properties"][name]
            # A description that the model has itself is not repeated where a field refers to the model.
            if "$ref" not in found or text != fields_of(model)[name].annotation.__doc__:
                found["description"] = text
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """The schema of a field with its default, left out if that is a model, a list, empty or None."""
        default = schema.get("default")
        inner = self.generate_inner(schema["schema"])
        if default is None or default == "" or not isinstance(default, str | int | float):
            default = str(default) if type(default).__module__ == "storyreel.specs.timing" else None
        return inner if default is None else {**inner, "default": default}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """The schema of a mapping, which refuses names that match no pattern, as the models do."""
        return {**super().dict_schema(schema), "additionalProperties": False}


def _tidy(schema: Any) -> Any:
    """A schema without titles, and with each paragraph of a description on one line."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    if isinstance(text := tidy.get("description"), str):
        tidy["description"] = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    return tidy


def text() -> str:
    """The content of the schema file."""
    return json.dumps(generate(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PUBLISHED.write_text(text(), encoding="utf-8")
