"""The manifest's JSON Schema: what every bundle of ours holds, and what anybody's reader may rely on."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def manifest_schema() -> dict[str, Any]:
    """The schema as data."""
    return dict(json.loads(Path(__file__).with_name("manifest.schema.json").read_text(encoding="utf-8")))


def manifest_problem(manifest: Mapping[str, Any]) -> str | None:
    """The first thing that is wrong with a manifest, with its place; None when it is valid."""
    import jsonschema

    problems = jsonschema.Draft202012Validator(manifest_schema()).iter_errors(manifest)
    worst = jsonschema.exceptions.best_match(problems)
    if worst is None:
        return None
    place = "/".join(map(str, worst.absolute_path)) or "the manifest"
    return f"{place}: {worst.message[:300]}"
