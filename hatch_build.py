"""What pip and PyPI show of serbench: its README, and where its pages are.

Nothing here names a host. Whoever releases serbench says where it is published, by the environment
variable ``SERBENCH_REPOSITORY``, as in ``https://forge.example/owner/serbench``. The README's links
then lead there, at the tag of the version: on PyPI, relative links lead nowhere.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")


class PublishedPages(MetadataHookInterface):
    """Fills in ``readme`` and ``urls``."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, object]) -> None:
        """Called by hatchling; ``urls`` stay empty where no repository is named."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = os.environ.get("SERBENCH_REPOSITORY", "").rstrip("/")
        metadata["urls"] = {}
        if repository:
            pages = f"{repository}/blob/v{metadata['version']}"
            text = absolute(text, pages)
            metadata["urls"] = {
                "Documentation": f"{pages}/docs/index.md",
                "Source": repository,
                "Changelog": f"{pages}/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(text: str, pages: str) -> str:
    """Markdown whose relative links lead below ``pages``; those within the page stay.

    A picture's address asks for the file itself, not for the page that shows it.
    """

    def lead(link: re.Match[str]) -> str:
        target = link[1]
        if target.startswith("#"):
            return link[0]
        return f"]({pages}/{target}{'?raw=true' if target.endswith('.svg') else ''})"

    return LINK.sub(lead, text)
