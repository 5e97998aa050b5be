"""An entry of the registry: a source's section, how it is made, and whose dollars it reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exporter.config.model import Config
from exporter.config.problems import ConfigError, Problem
from exporter.core.ownership import ANY_OTHER
from exporter.sources.base import Source


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a source is made from."""

    config: Config
    environment: Mapping[str, str] = field(repr=False)
    """The environment variables, for keys that a variable holds."""
    kept_tags: tuple[str, ...] = ()
    """Labels and tags that sources of bills keep with charges."""
    owned_by_others: frozenset[str] = frozenset()
    """Providers whose dollars another configured source reports; it leaves them out."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One source of the product. From it follow ownership, `check`, health and the tables of the docs."""

    name: str
    """As Source.name; of several sources of an entry, what their names begin with."""
    section: str
    """Key path of its configuration: `llm.openai`."""
    page: str
    """Its page below `docs`."""
    make: Callable[[Wanted], Source | Sequence[Source] | None]
    """Return the source, or one for each account; None or nothing where the configuration does not want it.
    Reads and connects nothing."""
    bills: Mapping[str, str] = field(default_factory=dict)
    """Providers whose dollars it reports, each with its usual name; ANY_OTHER takes the rest."""
    bills_by_hour: bool = False
    """Whether its bill has the hour of each cost, and when it became known."""
    estimates: tuple[str, ...] = ()
    """Providers whose usage it reports before it is billed."""
    attributes: tuple[str, ...] = ()
    """Providers whose users it names; its dollars are never added."""
    advises: tuple[str, ...] = ()
    """Providers whose budgets or recommendations it reads; it reports no dollars."""

    limited_to: Callable[[Config], frozenset[str] | None] = lambda _config: None
    """Return the only providers whose dollars it reports in a configuration; None for those of `bills`."""

    def as_configured(self, config: Config) -> Registration:
        """Return the entry with the providers that the configuration limits it to."""
        limits = self.limited_to(config)
        return self if limits is None else replace(self, bills={each: each for each in limits})

    def __post_init__(self) -> None:
        """Raise ValueError for an entry that names no provider: nobody would own its dollars."""
        if not (self.bills or self.estimates or self.attributes or self.advises):
            raise ValueError(
                f"{self.name}: set bills, estimates, attributes or advises, to show whose dollars it "
                "reports; see exporter/sources/registration.py"
            )


def make_sources(
    registrations: Iterable[Registration],
    config: Config,
    environment: Mapping[str, str],
    kept_tags: tuple[str, ...] = (),
) -> list[Source]:
    """Return the sources that the configuration wants. Nothing is read or connected yet.

    Raises ConfigError where two of them bill the same provider, so that its dollars would count twice.
    """
    owners: dict[str, Registration] = {}
    made: list[Source] = []
    # Those that take any provider come last: they leave out what another one owns.
    configured = [entry.as_configured(config) for entry in registrations]
    for entry in sorted(configured, key=lambda entry: ANY_OTHER in entry.bills):
        source = entry.make(Wanted(config, environment, kept_tags, frozenset(owners)))
        sources = _each(source)
        if not sources:
            continue
        for provider in entry.bills:
            if (other := owners.setdefault(provider, entry)) is not entry:
                # Of two that take any provider, neither knows what the other one has.
                named = entry.bills[provider] if provider == ANY_OTHER else provider
                text = f"{other.section} bills {named} as well, so every dollar would count twice; keep one"
                raise ConfigError(config.place, [Problem(entry.section, None, text)])
        made += sources
    return made


def _each(made: Source | Sequence[Source] | None) -> Sequence[Source]:
    if made is None:
        return ()
    return (made,) if isinstance(made, Source) else made
