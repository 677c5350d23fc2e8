"""A finished run's students and teachers in noise, at other levels, in rooms, over a telephone."""

from serbench.robustness.conditions import CONDITIONS, Condition, choose_conditions
from serbench.robustness.measure import Robustness, check_replay, measure
from serbench.robustness.output import render_robustness, robustness_table, write_robustness

__all__ = [
    "CONDITIONS",
    "Condition",
    "Robustness",
    "check_replay",
    "choose_conditions",
    "measure",
    "render_robustness",
    "robustness_table",
    "write_robustness",
]
