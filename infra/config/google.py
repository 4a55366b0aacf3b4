"""Rules of Google Cloud that the provider does not check.

Rules of Cloud Storage: bucket naming guidelines, bucket locations, labels; of Cloud KMS: key
resource names; of IAM: principal identifiers. As published in Google Cloud's documentation, 2026.
"""

from __future__ import annotations

import ipaddress
import re

MULTI_REGIONS = frozenset({"US", "EU", "ASIA"})
# A region such as europe-west12, or a dual-region such as NAM4.
REGION = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")
_DUAL_REGION = re.compile(r"(NAM|EUR|ASIA)[0-9]{1,2}")

_BUCKET_PART = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_KMS_KEY = re.compile(
    r"projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/locations/(?P<location>[a-z0-9-]+)"
    r"/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}"
)
_EMAIL = r"[^@\s:/]+@[^@\s:/]+\.[^@\s:/]+"
_MEMBER = re.compile(
    rf"(user|serviceAccount|group):{_EMAIL}|domain:[^@\s:/]+\.[^@\s:/]+"
    r"|serviceAccount:[a-z][a-z0-9-]{4,28}[a-z0-9]\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9-]+\]"
    r"|principal(Set)?://iam\.googleapis\.com/\S+"
)
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


def check_bucket(name: str) -> str:
    """A bucket name that Google takes; raises ValueError with the rule that it breaks."""
    parts = name.split(".")
    if not 3 <= len(name) <= (63 if len(parts) == 1 else 222) or not all(
        _BUCKET_PART.fullmatch(part) for part in parts
    ):
        raise ValueError(
            "allowed: 3 to 63 of a-z, 0-9, '-', '_' and '.', first and last a letter or digit"
        )
    if name.startswith("goog") or "google" in name or "g00gle" in name:
        raise ValueError("allowed: names that neither begin with 'goog' nor contain 'google'")
    if _is_address(name):
        raise ValueError("allowed: names that are not an IP address")
    return name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def check_project(name: str) -> str:
    """A project id; raises ValueError."""
    if not _PROJECT.fullmatch(name):
        raise ValueError("allowed: 6 to 30 of a-z, 0-9 and '-', beginning with a letter")
    return name


def check_location(location: str) -> str:
    """A bucket location by its form, since new regions are added; raises ValueError."""
    if location.upper() in MULTI_REGIONS or _DUAL_REGION.fullmatch(location.upper()):
        return location.upper()
    if REGION.fullmatch(location.lower()):
        return location.lower()
    raise ValueError(
        "allowed: a region, such as europe-west4 or us-central1, a dual-region, such as NAM4, or "
        "a multi-region: ASIA, EU, US"
    )


def check_kms_key(key: str) -> str:
    """A Cloud KMS key without a version; raises ValueError."""
    if not _KMS_KEY.fullmatch(key):
        raise ValueError(
            "allowed: projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY, no version"
        )
    return key


def kms_location(key: str) -> str:
    """The location part of a checked key."""
    match = _KMS_KEY.fullmatch(key)
    assert match is not None
    return match["location"]


def check_member(member: str) -> str:
    """An IAM member that is somebody; the public ones are refused. Raises ValueError."""
    if member in {"allUsers", "allAuthenticatedUsers"}:
        raise ValueError("nothing here is public; allowed: named users, groups, service accounts")
    if not _MEMBER.fullmatch(member):
        raise ValueError(
            "allowed: user:, group: or serviceAccount: with an e-mail address, domain:NAME, "
            "principal:// or principalSet://"
        )
    return member


def check_labels(labels: dict[str, str]) -> dict[str, str]:
    """Labels of a Google resource, at most 64; raises ValueError naming the wrong one."""
    if len(labels) > 64:
        raise ValueError("allowed: at most 64 labels")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise ValueError(
                f"label {key!r}: {value!r}; allowed: a-z, 0-9, '_' and '-', at most 63, "
                "keys beginning with a letter"
            )
    return labels
