"""serbench: the speech-emotion-recognition benchmark that cannot be fooled."""

from importlib.metadata import version

__version__ = version("serbench")
