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
        ({"max_age_days": "7"}, "scanners.osv.max_age_days must be int, not str"),
        ({"max_age_days": -1}, "scanners.osv.max_age_days must be at least 0"),
        ({"required": 1}, "scanners.osv.required must be bool, not int"),
        ({"ecosystems": {"a": 1}}, r"scanners.osv.ecosystems.a must be a text or an array of texts"),
        ({"severity": "mine"}, "scanners.osv.severity must be one of cvss, vendor"),
        ({"blok": "high"}, "scanners.osv.blok is not known"),
        ({"block": "high"}, r"scanners.osv.block is a key of \[policies.NAME.vulnerabilities\]"),
    ],
)
def test_a_mistake_is_named_with_its_key(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        osv_settings(table)
