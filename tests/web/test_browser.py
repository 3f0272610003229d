"""Whole stories in a real browser (Chromium): what a person does, with scripts and without."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import pytest

from support.populated import PASSWORD, House
from support.web import PAGES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "Playwright is not installed" if find_spec("playwright") is None else "" if CHROMIUM else "no chromium"

pytestmark = [pytest.mark.client, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

PHONE = {"width": 380, "height": 800}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser."""
    options = {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]}
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        yield browser
        browser.close()


@contextmanager
def opened(chromium: Any, house: House, name: str = "", **options: Any) -> Iterator[Any]:
    """A page on which nothing goes wrong unnoticed; signed in with the password of a user, if one is named."""
    context = chromium.new_context(base_url=house.server.url, **options)
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    if name:
        page.goto(f"{PAGES}/login")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(f"**{PAGES}")
    yield page
    context.close()
    assert wrong == []


def test_a_source_is_added_synced_searched_and_a_package_imported(chromium: Any, house: House) -> None:
    with opened(chromium, house, "mara") as page:
        page.get_by_role("navigation", name="Entrepôt").get_by_role("link", name="Sources").click()
        page.get_by_role("link", name="Add a source").click()
        page.get_by_label("Name (needed)").fill("again")
        page.get_by_label("URL (needed)").fill(f"{house.network.url}/debian")
        page.get_by_role("textbox", name="Distributions").fill("bookworm")
        page.get_by_label("Architectures").fill("amd64")
        assert house.apt.key
        key = {"name": "archive.gpg", "mimeType": "application/octet-stream", "buffer": house.apt.key.public}
        page.get_by_label("Public keys that may sign it").first.set_input_files([key])
        page.get_by_role("button", name="Add the source").click()
        page.wait_for_url(f"**{PAGES}/sources/again")
        assert house.apt.key.fingerprint in page.inner_text("main")

        # The page follows the sync by itself, and shows its end.
        page.get_by_role("button", name="Sync now").click()
        page.locator("dt:text-is('Packages') + dd:text-is('15')").wait_for()
        assert "completed" in page.get_by_role("region", name="Last syncs").inner_text()

        page.get_by_role("link", name="What it offers").click()
        page.get_by_label("Search").fill("libbeta")
        page.get_by_label("Search").press("Enter")
        page.get_by_role("link", name="Import libbeta-dev 1.0-1").click()
        page.get_by_label("Into the distribution").select_option("apps/staging")
        page.get_by_role("button", name="Try it first").click()
        page.get_by_role("heading", name="What would come in").wait_for()
        page.get_by_role("button", name="Import", exact=True).click()
        # It goes on to the import, and shows its stages until it is published.
        page.wait_for_url(re.compile(rf"{PAGES}/imports/\d+"))
        page.locator(".ep-stages > li", has_text="Published").get_by_text("completed").wait_for()
        assert "signed trusted" in page.inner_text("main")

        page.goto(f"{PAGES}/sources/again")
        page.get_by_role("button", name="Remove again").click()
        page.wait_for_url(f"**{PAGES}/sources")


def test_without_scripts_an_import_goes_its_whole_way(chromium: Any, house: House) -> None:
    with opened(chromium, house, "mara", java_script_enabled=False) as page:
        page.goto(f"{PAGES}/catalog?q=libgamma&source=debian")
        page.get_by_role("link", name="Import libgamma-dev 1.0-1").click()
        page.get_by_label("Into the distribution").select_option("apps/staging")
        page.get_by_role("button", name="Import", exact=True).click()
        # The page comes again by itself until there is a result.
        page.locator(".ep-stages > li", has_text="Published").get_by_text("completed").wait_for()
        page.goto(f"{PAGES}/sources/debian")
        page.get_by_role("button", name="Sync now").click()
        page.get_by_role("button", name="Sync now", disabled=False).wait_for()


def test_a_filter_is_applied_as_soon_as_it_is_chosen(chromium: Any, house: House) -> None:
    with opened(chromium, house) as page:
        page.goto(f"{PAGES}/catalog")
        page.get_by_label("Source").select_option("el9")
        page.wait_for_url("**source=el9**")
        assert "The GNU Bourne Again shell" in page.inner_text("main")


@pytest.fixture(scope="module")
def phone(chromium: Any, house: House) -> Iterator[Any]:
    """A page on a phone, whose owner is signed in."""
    with opened(chromium, house, "mara", viewport=PHONE) as page:
        yield page


MAIN_PAGES = (
    "",
    "/sources",
    "/sources/debian",
    "/sources/add",
    "/catalog?q=nginx",
    "/package/nginx",
    "/imports",
    "/imports/8",
    "/review",
    "/review/8",
    "/repositories",
    "/repositories/apps/bookworm",
    "/setup/apps",
    "/advisories",
    "/tasks",
    "/audit",
    "/policies",
)


@pytest.mark.parametrize("path", MAIN_PAGES)
def test_pages_fit_a_phone_and_are_accessible(phone: Any, path: str) -> None:
    phone.goto(PAGES + path)
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    levels = phone.evaluate("[...document.querySelectorAll('main h1, main h2, main h3')].map((h) => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert phone.evaluate("[...document.querySelectorAll('[tabindex]')].every((item) => item.tabIndex <= 0)")
    # Datasette's search dialog has a property `matches`, which axe takes for the method of elements.
    phone.evaluate("document.querySelector('navigation-search').remove()")
    found = import_module("axe_playwright_python.sync_playwright").Axe().run(phone)
    assert found.violations_count == 0, found.generate_report()


def test_the_keyboard_skips_to_the_content(chromium: Any, house: House) -> None:
    with opened(chromium, house) as page:
        page.goto(f"{PAGES}/catalog")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "q"
