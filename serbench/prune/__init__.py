"""A finished run's students, pruned, fine-tuned inside their folds, and scored."""

from serbench.prune.measure import PruneStudy, measure_pruning
from serbench.prune.network import AMOUNTS, KINDS, check_amounts, check_kinds
from serbench.prune.output import prune_table, render_pruning, write_pruning
from serbench.prune.students import Tuning

__all__ = [
    "AMOUNTS",
    "KINDS",
    "PruneStudy",
    "Tuning",
    "check_amounts",
    "check_kinds",
    "measure_pruning",
    "prune_table",
    "render_pruning",
    "write_pruning",
]
