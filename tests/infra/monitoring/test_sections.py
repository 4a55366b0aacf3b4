"""The settings, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from infra.config import MonitoringSettings


def test_by_default_pods_are_annotated_and_nothing_is_made_in_the_cloud() -> None:
    assert not MonitoringSettings().enabled
    assert MonitoringSettings().scrape == "annotations"


def test_a_channels_full_name_is_taken() -> None:
    name = "projects/kserve-triton-prod/notificationChannels/1234567890"
    assert MonitoringSettings(notification_channels=(name,)).notification_channels == (name,)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("notificationChannels", ["1234567890"]),
        ("notificationChannels", ["projects/p/notificationChannels/oncall"]),
        ("notificationChannels", ["projects/p/notificationChannels/1\n"]),
        ("scrape", "servicemonitor"),
        ("periodDays", 6),
        ("queueMs", 0),
        ("gpuUtilisation", 1.1),
        ("dashboards", True),
    ],
)
def test_a_wrong_value_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        MonitoringSettings.model_validate({key: value})


def test_the_message_shows_what_a_channel_looks_like() -> None:
    with pytest.raises(ValidationError, match="projects/PROJECT/notificationChannels/NUMBER"):
        MonitoringSettings.model_validate({"notificationChannels": ["oncall"]})
