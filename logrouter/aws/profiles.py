"""The files in which the AWS CLI keeps profiles: `~/.aws/config` and `~/.aws/credentials`.

    [default]                        [profile archive]            in config; [archive] in credentials
    aws_access_key_id = AKIA…        role_arn = arn:aws:iam::…
    aws_secret_access_key = …        source_profile = default

Source: AWS SDKs and Tools Reference Guide, "Using shared config and credentials files"
(https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Profile = dict[str, str]

_SECTION = re.compile(r"\[\s*(?:(profile)\s+)?([^\]]+?)\s*\]")


def read_profiles(config: bytes | None, credentials: bytes | None) -> dict[str, Profile]:
    """The profiles by name, of both files, as far as these are there. What `credentials` says comes first."""
    profiles: dict[str, Profile] = {}
    for data, in_config in ((config, True), (credentials, False)):
        for name, profile in _sections(data, in_config).items():
            profiles.setdefault(name, {}).update(profile)
    return profiles


def path_of(variable: str, name: str, environ: Mapping[str, str]) -> str | None:
    """Where one of the files is: as the variable says, else in `~/.aws`. None: nobody knows where that is."""
    home = environ.get("HOME", "")
    path = environ.get(variable) or f"~/.aws/{name}"
    if path.startswith("~/"):
        return f"{home}{path[1:]}" if home else None
    return path


def _sections(data: bytes | None, in_config: bool) -> dict[str, Profile]:
    found: dict[str, Profile] = {}
    current: Profile = {}
    for line in (data or b"").decode("utf-8", "replace").splitlines():
        if section := _SECTION.match(line):
            # In config, `[archive]` without the word is none: it may be `[sso-session x]` or `[services y]`.
            is_profile = section[1] or not in_config or section[2] == "default"
            current = found.setdefault(section[2].strip("\"'"), {}) if is_profile else {}
        elif line[:1] not in ("#", ";", " ", "\t", ""):  # what is indented belongs to a value of many lines: not ours
            key, _, value = line.partition("=")
            current[key.strip().lower()] = value.strip()
    return found
