"""Pictures of pages that serbench writes, taken by a headless Chromium where there is one.

``python docs/tools/pictures.py --possible`` takes none: its exit code is 1 without a Chromium.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import gallery
import real_runs

WIDTH, HEIGHT = 1280, 900


NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Its path; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def main() -> None:
    """Take the pictures that are missing, or older than their page."""
    if "--possible" in sys.argv:
        sys.exit(chromium() is None)
    done = real_runs.made()
    wanted = [
        (page, scheme, path)
        for page in gallery.items(gallery.Page)
        if page.step in done
        for scheme in gallery.SCHEMES
        for path in [gallery.PICTURES / f"{page.name}-{scheme}.png"]
        if not path.is_file() or path.stat().st_mtime < page.source.stat().st_mtime
    ]
    if wanted:
        _take(wanted)


def _take(wanted: list[tuple[gallery.Page, str, Path]]) -> None:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _leave_out("playwright is not installed")
        return
    gallery.PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as started:
        try:
            browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        except Error as error:
            _leave_out(f"no Chromium starts here: {str(error).splitlines()[0]}")
            return
        for page, scheme, path in wanted:
            size = {"width": WIDTH, "height": HEIGHT}
            shown = browser.new_page(viewport=size, color_scheme=scheme)
            shown.goto(page.source.as_uri())
            part = shown.locator(page.part or "body").first
            box = part.bounding_box()
            if box is None:
                raise SystemExit(
                    f"{page.source.name} has no {page.part}: see docs/tools/gallery.py"
                )
            box = box if page.part else {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT}
            clip = box | {"height": min(box["height"], HEIGHT)}
            shown.screenshot(path=path, clip=clip, full_page=True)
            shown.close()
        browser.close()


def _leave_out(reason: str) -> None:
    sys.stderr.write(f"The gallery has no pictures of pages: {reason}\n")


if __name__ == "__main__":
    main()
