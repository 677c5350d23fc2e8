"""A loaded registry: it gives the spec of a name, and the plugin instance of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeVar, overload

from serbench.api import Backend, Corpus, FrontEnd, Loss, Student, Teacher, Tracker
from serbench.api.params import Plugin
from serbench.errors import PluginError, RegistryError, did_you_mean
from serbench.running.plugins import SINGULAR, Plugins, see_list
from serbench.running.registry.aliases import called, nearest
from serbench.running.registry.schema import (
    SPECS,
    AblationSpec,
    DatasetSpec,
    LabelsSpec,
    MethodSpec,
    PluginSpec,
    ProfileSpec,
    Spec,
    SuiteSpec,
)
from serbench.running.registry.validate import lay_over, validate

Overrides = Mapping[str, object]
"""Parameters by name, nested."""


@dataclass(frozen=True)
class Registry:
    """All entries, validated. A plugin without an entry can be used by its own name.

    Attributes:
        files: its files, in the order in which they were merged.
        origins: ``FILE:LINE`` of each entry, by (table, name).
    """

    datasets: Mapping[str, DatasetSpec]
    labels: Mapping[str, LabelsSpec]
    teachers: Mapping[str, PluginSpec]
    front_ends: Mapping[str, PluginSpec]
    students: Mapping[str, PluginSpec]
    losses: Mapping[str, PluginSpec]
    backends: Mapping[str, PluginSpec]
    trackers: Mapping[str, PluginSpec]
    methods: Mapping[str, MethodSpec]
    profiles: Mapping[str, ProfileSpec]
    ablations: Mapping[str, AblationSpec]
    suites: Mapping[str, SuiteSpec]
    plugins: Plugins = field(repr=False)
    files: tuple[str, ...] = ()
    origins: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def dataset_name(self, name: str) -> str:
        """The dataset, or corpus plugin, with this name or alias.

        Raises:
            RegistryError: no match, or several apart from case and separators.
        """
        aliases = self.aliases
        found = called(name, aliases)
        if found is None:
            raise RegistryError(
                f"no dataset is called {name!r}{nearest(name, aliases)}{not_loaded(self.plugins)}"
            )
        return found

    @property
    def aliases(self) -> dict[str, tuple[str, ...]]:
        """Aliases of every dataset, and of corpus plugins without a dataset of the same name."""
        by_plugin = {each.name: corpus_aliases(each.cls) for each in self.plugins.items("corpora")}
        by_entry = {name: spec.aliases for name, spec in self.datasets.items()}
        return {
            name: (*by_entry.get(name, ()), *by_plugin.get(name, ()))
            for name in (*by_entry, *(name for name in by_plugin if name not in by_entry))
        }

    def dataset(self, name: str) -> DatasetSpec:
        """A dataset, or a corpus plugin with its default parameters, by its name or an alias.

        Raises:
            RegistryError: no dataset and no plugin has the name. All other look-ups
                raise it likewise.
        """
        name = self.dataset_name(name)
        if name in self.datasets:
            return self.datasets[name]
        fields = plugin_class(self.plugins, "corpora", name).Params.model_fields
        if required := [field for field, info in fields.items() if info.is_required()]:
            raise RegistryError(
                f"{name} is a kind of corpus, not a corpus: describe one as [datasets.NAME] in "
                f'serbench.toml, with corpus = "{name}" and params for {", ".join(required)}'
            )
        bare = DatasetSpec(corpus=name)
        corpus = self._instance("corpora", name, bare.corpus, {})
        folds = default_folds(corpus)  # pyright: ignore[reportArgumentType]
        return bare.model_copy(update={"folds": folds})

    def label_map(self, name: str) -> LabelsSpec:
        """A label map."""
        if name not in self.labels:
            raise RegistryError(
                f"no label map is called {name!r}{did_you_mean(name, self.labels)} (add one as "
                "[labels.NAME] to serbench.toml)"
            )
        return self.labels[name]

    def plugin_spec(self, kind: str, name: str) -> PluginSpec:
        """An entry of a plugin's kind, or the plugin of that name with its default parameters.

        Args:
            kind: one of ``serbench.running.plugins.KINDS`` but ``"corpora"``.
            name: name of the entry, or of the plugin itself.
        """
        entries: Mapping[str, PluginSpec] = getattr(self, kind)
        if name in entries:
            return entries[name]
        self._require(SINGULAR[kind], kind, name, entries)
        return PluginSpec(plugin=name)

    def method(self, name: str) -> MethodSpec:
        """A method."""
        return _found("method", self.methods, name)

    def profile(self, name: str) -> ProfileSpec:
        """A profile."""
        return _found("profile", self.profiles, name)

    def ablation(self, name: str) -> AblationSpec:
        """An ablation, by default named after its full method."""
        if name in self.ablations:
            return self.ablations[name]
        if name in self.methods:
            raise RegistryError(
                f"the registry has no ablation of {name}: add one as [ablations.{name}] to a "
                f"serbench.toml, or use one of {', '.join(self.ablations) or 'none'}"
            )
        return _found("ablation", self.ablations, name)

    def suite(self, name: str) -> SuiteSpec:
        """A suite."""
        return _found("suite", self.suites, name)

    @overload
    def make(self, kind: Literal["corpora"], name: str, overrides: Overrides = ...) -> Corpus: ...
    @overload
    def make(self, kind: Literal["teachers"], name: str, overrides: Overrides = ...) -> Teacher: ...
    @overload
    def make(
        self, kind: Literal["front_ends"], name: str, overrides: Overrides = ...
    ) -> FrontEnd: ...
    @overload
    def make(self, kind: Literal["students"], name: str, overrides: Overrides = ...) -> Student: ...
    @overload
    def make(self, kind: Literal["losses"], name: str, overrides: Overrides = ...) -> Loss: ...
    @overload
    def make(self, kind: Literal["backends"], name: str, overrides: Overrides = ...) -> Backend: ...
    @overload
    def make(self, kind: Literal["trackers"], name: str, overrides: Overrides = ...) -> Tracker: ...
    @overload
    def make(self, kind: str, name: str, overrides: Overrides = ...) -> object: ...

    def make(self, kind: str, name: str, overrides: Overrides = MappingProxyType({})) -> object:
        """An instance of the plugin behind an entry, with ``overrides`` of its params.

        Args:
            kind: one of ``KINDS`` of ``serbench.running.plugins``; for ``"corpora"`` the name is a
                dataset's.
            name: name of the entry, or of the plugin itself.
            overrides: nested tables of parameters.

        Raises:
            RegistryError: no such name, or parameters that the plugin does not have.
        """
        if kind == "corpora":
            name = self.dataset_name(name)
            spec = self.dataset(name)
            return self._instance(kind, name, spec.corpus, lay_over(spec.params, overrides))
        if kind not in SINGULAR:
            raise RegistryError(f"no kind is called {kind!r}{did_you_mean(kind, SINGULAR)}")
        entry = self.plugin_spec(kind, name)
        return self._instance(kind, name, entry.plugin, lay_over(entry.params, overrides))

    def _require(self, what: str, kind: str, name: str, entries: Iterable[str]) -> None:
        """Raise an error unless ``name`` is the own name of a plugin."""
        names = {provided.name for provided in self.plugins.items(kind)}
        if name not in names:
            near = did_you_mean(name, names | set(entries), see_list(kind))
            message = f"no {what} is called {name!r}{near}"
            raise RegistryError(message + not_loaded(self.plugins))

    def _instance(self, kind: str, name: str, plugin: str, params: Overrides) -> object:
        cls: type[Plugin] = plugin_class(self.plugins, kind, plugin)
        table = "datasets" if kind == "corpora" else kind
        return cls(validate(cls.Params, params, f"{table}.{name}.params"))


Named = TypeVar("Named")


def _found(what: str, entries: Mapping[str, Named], name: str) -> Named:
    if name not in entries:
        near = did_you_mean(name, entries, see_list(f"{what}s"))
        raise RegistryError(f"no {what} is called {name!r}{near}")
    return entries[name]


def entries(registry: Registry, wanted: str | None = None) -> dict[str, dict[str, object]]:
    """Tables of entries as plain values: all, one table (``teachers``), or one entry
    (``methods.akd``).

    Unset overrides are left out.

    Raises:
        RegistryError: no such table or entry.
    """
    table, _, name = (wanted or "").partition(".")
    if table and table not in SPECS:
        raise RegistryError(f"no table is called {table!r}{did_you_mean(table, SPECS)}")
    found: dict[str, dict[str, object]] = {}
    for each in (table,) if table else SPECS:
        specs: Mapping[str, Spec] = getattr(registry, each)
        if name and each == "datasets":
            name = registry.dataset_name(name)
        if name and name not in specs:
            near = did_you_mean(name, specs, see_list(each))
            raise RegistryError(f"nothing in [{each}] is called {name!r}{near}")
        found[each] = {
            key: spec.model_dump(mode="json", exclude_unset=True)
            for key, spec in specs.items()
            if name in {"", key}
        }
    return found


def plugin_class(plugins: Plugins, kind: str, name: str) -> type[Plugin]:
    """The plugin class of that name.

    Raises:
        RegistryError: no plugin has that name.
    """
    try:
        return plugins.get(kind, name)  # pyright: ignore[reportReturnType]
    except PluginError as error:
        raise RegistryError(str(error)) from error


def corpus_aliases(cls: type) -> tuple[str, ...]:
    """The aliases that a corpus plugin declares; none if its class declares none."""
    declared = getattr(cls, "aliases", ())
    return declared if isinstance(declared, tuple) else ()


def not_loaded(plugins: Plugins) -> str:
    """A clause that names the plugins that failed to load, if any did."""
    if not plugins.failed:
        return ""
    names = ", ".join(f"{p.entry_point} of {p.distribution}" for p in plugins.failed)
    return f"; not loaded: {names} (see `serbench plugins`)"


def default_folds(corpus: Corpus) -> str:
    """The folds of a corpus without a dataset entry: the paper's, else leave one unit out."""
    return "paper" if "paper" in corpus.card.fold_sets else "loso"
