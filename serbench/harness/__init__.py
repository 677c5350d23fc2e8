"""Algorithm 1 of the protocol: nested, grouped, paired, sealed, certified."""

from serbench.harness.observer import Observer
from serbench.harness.resources import Resources
from serbench.harness.run import run

__all__ = ["Observer", "Resources", "run"]
