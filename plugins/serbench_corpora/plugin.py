"""The corpora that come with serbench."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Corpus, hookimpl
from serbench_corpora.audformat_db import Audformat
from serbench_corpora.demo import Demo
from serbench_corpora.emobox import EmoBox
from serbench_corpora.emodb import EmoDB
from serbench_corpora.files import Files
from serbench_corpora.iemocap import Iemocap
from serbench_corpora.table import Table


@hookimpl
def serbench_corpora() -> Sequence[type[Corpus]]:
    """Corpora with their own code, and classes for any corpus that a pattern, a table or
    a database describes.
    """
    return (Audformat, Demo, EmoBox, EmoDB, Files, Iemocap, Table)
