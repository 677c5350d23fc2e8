"""Suites: makes their methods with a dataset's changes, and checks that the names in them exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from serbench.errors import did_you_mean
from serbench.running.registry.schema import ChangesSpec, MethodSpec, Spec, SuiteSpec
from serbench.running.registry.validate import Problem, lay_over

Changed = Callable[[tuple[str, ...], MethodSpec, MethodSpec], Iterator[Problem]]
"""Type of a function that gives the problems of the second method that the first method, from which
it was made, does not have.
"""


def suite_method(method: MethodSpec, changes: ChangesSpec) -> MethodSpec:
    """The method with a suite's changes on a dataset. A profile's settings override the changes."""
    update = {
        field: lay_over(getattr(method, field), getattr(changes, field))
        for field in changes.model_fields_set
    }
    return method.model_copy(update=update)


def suite_problems(
    at: tuple[str, ...],
    spec: SuiteSpec,
    names: Mapping[str, Iterable[str]],
    methods: Mapping[str, Spec],
    changed: Changed,
) -> Iterator[Problem]:
    """Problems of a suite: it may name existing methods and datasets only, and quote figures of its
    own methods only.

    Args:
        at: the keys of the suite.
        spec: the suite.
        names: names of all entries, by table.
        methods: the well-formed entries among them.
        changed: checks a method with a dataset's changes.
    """
    yield from _unknown((*at, "methods"), spec.methods, names["methods"], "method is called")
    for name in sorted({name for name in spec.methods if spec.methods.count(name) > 1}):
        yield Problem((*at, "methods"), f"{name!r} is named twice")
    claimed = [claim.method for claim in spec.claims]
    yield from _unknown((*at, "left_out"), spec.left_out, spec.methods, "method of the suite is")
    yield from _unknown((*at, "claims"), claimed, spec.methods, "method of the suite is")
    on = [claim.dataset for claim in spec.claims]
    yield from _unknown((*at, "claims"), on, names["datasets"], "dataset is called")
    yield from _unknown((*at, "datasets"), spec.datasets, names["datasets"], "dataset is called")
    for dataset, changes in spec.datasets.items():
        place = (*at, "datasets", dataset, "methods")
        yield from _unknown(place, changes.methods, spec.methods, "method of the suite is")
        for name, changes_of in changes.methods.items():
            full = methods.get(name)
            if isinstance(full, MethodSpec):
                yield from changed((*place, name), full, suite_method(full, changes_of))


def _unknown(
    at: tuple[str, ...], named: Iterable[str], known: Iterable[str], said: str
) -> Iterator[Problem]:
    known = list(known)
    for name in dict.fromkeys(named):
        if name not in known:
            yield Problem(at, f"no {said} {name!r}{did_you_mean(name, known)}")
