"""A release engineer with a browser: what waits is approved and published, a version promoted, and rolled back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from entrepot.services import imports
from support.web import PAGES, Shop, open_shop

CHROMIUM = shutil.which("chromium")
PHONE: ViewportSize = {"width": 380, "height": 800}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with robots in its window; an odd toy waits."""
    with open_shop(tmp_path) as shop:
        workspace = shop.server.workspace()
        for names in (["robot=1"], ["odd"]):
            request = imports.ImportRequest(source="box", packages=names, distribution="shop/window")
            imports.import_packages(workspace, request)
        workspace.close()
        yield shop


@pytest.fixture
def page(shop: Shop) -> Iterator[Page]:
    """A page of a browser in which a maintainer is signed in; errors of its scripts fail the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=shop.server.url)
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{PAGES}/login")
        page.locator("input[name=token]").fill(shop.server.tokens["maintainer"])
        page.locator("input[name=token]").press("Enter")
        expect(page.get_by_text("Signed in as maintainer")).to_be_visible()
        yield page
        browser.close()
        assert not failures


def completed(page: Page, title: str) -> None:
    """Waits on the page of a task until it has ended well."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator(".ep-state .ep-badge")).to_have_text("completed", timeout=30_000)


def test_what_waits_is_approved_published_promoted_and_rolled_back(shop: Shop, page: Page) -> None:
    page.get_by_role("navigation", name="Entrepôt").get_by_role("link", name="Review").click()
    page.get_by_role("link", name="odd").click()
    page.get_by_label("Justification").fill("opened it: it is a toy")
    page.get_by_label("It waits again after").fill("30")
    page.get_by_role("button", name="Approve and publish").click()
    completed(page, "Approval into shop/window")
    assert "odd" in (shop.tree / "window" / "INDEX").read_text()

    page.goto(f"{PAGES}/repositories/shop/window")
    page.get_by_role("link", name="Promote").click()
    page.get_by_label("To", exact=True).select_option("shop/cellar")
    page.get_by_role("button", name="Show what would change").click()
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("odd:any=1")
    expect(page.get_by_role("row", name="robot any added 1 main")).to_be_visible()
    assert not (shop.tree / "cellar").exists()
    page.get_by_label("Leave out what is refused").check()
    page.get_by_role("button", name="Promote").click()
    completed(page, "Promotion to shop/cellar")
    published = (shop.tree / "cellar" / "INDEX").read_text()
    assert "robot" in published
    assert "odd" not in published

    page.set_viewport_size(PHONE)
    page.goto(f"{PAGES}/repositories/shop/window")
    page.get_by_role("row", name=re.compile("import robot 1")).get_by_role("link", name="Roll back to it").click()
    expect(page.get_by_role("row", name=re.compile("odd any.*removed"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("button", name="Roll back").click()
    completed(page, "Rollback of shop/window")
    assert "odd" not in (shop.tree / "window" / "INDEX").read_text()
    page.goto(f"{PAGES}/repositories/shop/window")
    expect(page.get_by_role("row", name=re.compile("roll back to version 1"))).to_contain_text("in place")
