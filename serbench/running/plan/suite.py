"""A suite as an ordinary run: its methods, and their published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from serbench.api import RegistryError
from serbench.errors import PluginError, TeacherError, did_you_mean
from serbench.running.plan.claims import Suite
from serbench.running.plan.names import method_spec
from serbench.running.plan.records import MethodPlan, RunPlan
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_method, plan_run
from serbench.running.plan.sets import parse_set
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import ChangesSpec, SuiteDatasetSpec, SuiteSpec
from serbench.running.registry.suites import suite_method

NEEDS_TEACHER = "learns from a teacher; give --teacher NAME_OR_FOLDER"


def plan_suite(
    registry: Registry,
    name: str,
    request: Request,
    only: Sequence[str] = (),
    *,
    skip_missing: bool = False,
) -> RunPlan:
    """The run of a suite.

    A method that the suite leaves out, or that needs a teacher when none is given, is run only if
    it is named. Methods that are not run are recorded in ``RunPlan.suite`` with the reason.

    Args:
        registry: the registry that contains ``[suites.NAME]``.
        name: name of the suite.
        request: the request. Its methods are run too, even if the suite leaves them out.
        only: methods of the suite that are run; empty: all.
        skip_missing: leave out methods that this machine cannot run.

    Raises:
        RegistryError: as ``plan_run``; no such suite or method; methods that this machine cannot
            run, all in one message with solutions; or nothing is left to run.
    """
    spec = registry.suite(name)
    if unknown := [each for each in only if each not in spec.methods]:
        message = f"suite {name} has no method {unknown[0]!r}"
        raise RegistryError(message + did_you_mean(unknown[0], spec.methods))
    asked = {*request.methods, *only}
    wanted = [each for each in spec.methods if not only or each in asked]
    left_out = {
        each: why
        for each in wanted
        if each not in asked and (why := _why_not(registry, spec, each, request))
    }
    chosen = [each for each in wanted if each not in left_out]
    chosen += [each for each in request.methods if each not in chosen]
    dataset = registry.dataset_name(request.dataset)
    changes = spec.datasets.get(dataset, SuiteDatasetSpec()).methods
    request = replace(request, methods=tuple(chosen), changes=changes)
    missing = {each: why for each in chosen if (why := _missing(registry, request, each))}
    if missing and not skip_missing:
        raise RegistryError(_told(missing))
    left_out |= {each: _in_short(why) for each, why in missing.items()}
    methods = tuple(each for each in chosen if each not in missing)
    if not methods:
        raise RegistryError(_nothing(name, left_out))
    sets = tuple(each for each in request.sets if parse_set(each)[0][:2] not in _below(missing))
    plan = plan_run(registry, replace(request, methods=methods, sets=sets))
    shown = (*wanted, *(each for each in methods if each not in wanted))
    # The figures were published for the whole corpus with its own classes, and by cross-validation.
    claims = spec.claims if plan.dataset.name == dataset else ()
    suite = Suite(
        name=name,
        summary=spec.summary,
        methods=shown,
        left_out=left_out,
        claims=tuple(c for c in claims if c.dataset == dataset and c.method in shown),
        notes=(*spec.notes, *_shortened(registry, plan, changes)),
    )
    return replace(plan, suite=suite)


def _why_not(registry: Registry, spec: SuiteSpec, method: str, request: Request) -> str:
    """Why a method is not run unless named; empty if it is run."""
    if method in spec.left_out:
        return spec.left_out[method]
    loss = method_spec(registry, method).loss
    needs = registry.make("losses", loss).needs if loss else ()
    return NEEDS_TEACHER if needs and not request.teachers else ""


def _shortened(
    registry: Registry, plan: RunPlan, changes: Mapping[str, ChangesSpec]
) -> tuple[str, ...]:
    """Sentences on methods that this run trains for less than published, as their
    own entries state.
    """
    told: list[str] = []
    for method in plan.methods:
        entry = method_spec(registry, method.name)
        if method.name in changes:
            entry = suite_method(entry, changes[method.name])
        own, used = entry.settings, method.candidates[0].settings
        ways = [
            f"{used_value:g} of {value:g} {unit}"
            for table, key, unit, used_value in (
                ("training", "epochs", "epochs", used.training.epochs),
                ("segments", "window_s", "s", used.segments.window_s),
            )
            if (value := _number(own, table, key)) > used_value
        ]
        told += [f"{method.name} {' and '.join(ways)}"] if ways else []
    if not told:
        return ()
    return (f"Trained for less than published, by profile or --set: {'; '.join(told)}.",)


def _number(settings: Mapping[str, object], table: str, key: str) -> float:
    """A number from a method's entry; 0 if the entry does not have it."""
    below = settings.get(table)
    value = below.get(key, 0) if isinstance(below, Mapping) else 0
    return float(value) if isinstance(value, int | float) else 0.0


def _missing(registry: Registry, request: Request, method: str) -> str:
    """What a method needs and this machine lacks, with the solution; empty if nothing is
    missing.
    """
    try:
        _touch(plan_method(registry, request, method))
    except (TeacherError, PluginError) as error:
        return str(error)
    return ""


def _touch(method: MethodPlan) -> None:
    """Check that everything that the fits will need is available on this machine.

    Raises:
        TeacherError: weights are not available.
        PluginError: a package is not installed.
    """
    for candidate in method.candidates:
        _ = candidate.student.model_digest, candidate.front_end.model_digest


def _in_short(why: str) -> str:
    """What is missing, without the network's error and the solutions."""
    return why.partition(". ")[0].partition(" (")[0]


def _below(methods: Mapping[str, str]) -> set[tuple[str, ...]]:
    return {("methods", method) for method in methods}


def _nothing(suite: str, left_out: Mapping[str, str]) -> str:
    lines = [f"{method}: {why}" for method, why in left_out.items()]
    return "\n  ".join([f"no method of suite {suite} is left to run:", *lines])


def _told(missing: Mapping[str, str]) -> str:
    lines = [f"{method}: {why}" for method, why in missing.items()]
    count = "1 method" if len(lines) == 1 else f"{len(lines)} methods"
    return "\n  ".join(
        [
            f"{count} of this suite cannot run on this machine; nothing was trained. Follow the "
            "lines below, or leave these methods out with --skip-missing:",
            *lines,
        ]
    )
