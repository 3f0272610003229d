"""The table of the scanner in the settings."""

from __future__ import annotations

from typing import Any

import pytest

from entrepot.errors import SettingsError
from entrepot_plugins.scanners.osv.settings import OsvSettings, osv_settings


def test_an_empty_table_is_what_holds_unless_something_is_said() -> None:
    assert osv_settings({}) == OsvSettings()


def test_one_ecosystem_or_several_may_be_named() -> None:
    settings = osv_settings({"ecosystem": "Debian:12", "ecosystems": {"a": "Debian:13", "b": ["x", "y"]}})
    assert settings.ecosystem == ("Debian:12",)
    assert settings.ecosystems == {"a": ("Debian:13",), "b": ("x", "y")}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"block": "severe"}, "scanners.osv.block must be one of negligible, low, medium, high, critical, never"),
        ({"unfixed": "ignore"}, "scanners.osv.unfixed must be one of allow, review, block"),
        ({"max_age_days": "7"}, "scanners.osv.max_age_days must be int, not str"),
        ({"max_age_days": -1}, "scanners.osv.max_age_days must be at least 0"),
        ({"required": 1}, "scanners.osv.required must be bool, not int"),
        ({"epss": 2}, "scanners.osv.epss must be a number from 0 to 1"),
        ({"epss": True}, "scanners.osv.epss must be a number from 0 to 1"),
        ({"ecosystems": {"a": 1}}, r"scanners.osv.ecosystems.a must be a text or an array of texts"),
        ({"ignore": [1]}, "scanners.osv.ignore must be a text or an array of texts"),
        ({"blok": "high"}, "scanners.osv.blok is not known"),
    ],
)
def test_a_mistake_is_named_with_its_key(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        osv_settings(table)
