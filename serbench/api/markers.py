"""How a plugin marks its hook implementations."""

from __future__ import annotations

import pluggy

PROJECT = "serbench"

hookimpl = pluggy.HookimplMarker(PROJECT)
hookspec = pluggy.HookspecMarker(PROJECT)
