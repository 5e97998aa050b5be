"""The page at `/`: what this is, what was spent, the state of the sources. One file, no script, no asset."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Final

from exporter.metrics.snapshot import HEADINGS, Snapshot
from exporter.sources.status import SourceStatus

_STYLE: Final = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --line: #dfe3e8; --ink: #1b2430;
  --soft: #5b6675; --link: #0b5cad; --good: #1a7f4b; --bad: #b3261e; --wait: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161b; --card: #1b2128; --line: #303945;
  --ink: #e7ebf0; --soft: #9aa6b5; --link: #7db8f5; --good: #57c98c; --bad: #ff8a80; --wait: #e6b450; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; }
h1 { margin: 0; font-size: 1.6rem; letter-spacing: -.01em; }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.05rem; }
p { margin: .25rem 0; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-top: .75rem; }
.soft, footer { color: var(--soft); font-size: .875rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.totals { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem;
  margin: 0; }
.totals div { padding: .8rem 1rem; }
.totals dt { color: var(--soft); font-size: .875rem; }
.totals dd { margin: .1rem 0 0; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.totals dd { line-height: 2.2rem; }
.totals dd.partial { color: var(--wait); font-size: .875rem; font-weight: 400; line-height: 1.5; }
.totals dd.unknown { color: var(--soft); font-size: 1rem; font-weight: 400; }
table { width: 100%; border-spacing: 0; font-size: .925rem; }
th { color: var(--soft); font-size: .8125rem; font-weight: 500; text-align: left; }
th, td { padding: .55rem 1rem; vertical-align: top; }
tbody tr:first-child td { border-top: 1px solid var(--line); }
td.name { font-weight: 600; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.up { color: var(--good); } .down { color: var(--bad); } .waiting { color: var(--wait); }
.details td { padding-top: 0; overflow-wrap: anywhere; }
details ul { margin: .25rem 0; padding-left: 1.25rem; }
summary { cursor: pointer; }
.begins { margin-top: .75rem; }
.begins + .begins { margin-top: .25rem; }
footer { margin-top: 2.25rem; }
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem; }
  .totals { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .totals div { padding: .6rem .75rem; }
  .totals dd { font-size: 1.15rem; line-height: 1.75rem; }
  .totals dd.partial { font-size: .8125rem; line-height: 1.4; }
  thead { display: none; }
  table, tbody, tr, td { display: block; }
  tbody { padding: .6rem 0; }
  tbody + tbody { border-top: 1px solid var(--line); }
  tbody tr:first-child td { border-top: 0; }
  td { padding: .1rem .85rem; }
  td[data-head] { display: flex; justify-content: space-between; gap: 1rem; }
  td[data-head]::before { content: attr(data-head); color: var(--soft); font-weight: 400; }
  .details td { padding-top: .3rem; }
}
"""
_BILLS_SHOWN: Final = 5
_STATES: Final = {True: ("up", "● up"), False: ("down", "▲ failing"), None: ("waiting", "○ waiting")}


def content_security_policy() -> str:
    """Return a policy that allows the page its own style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


def landing_page(snapshot: Snapshot, now: datetime, version: str) -> str:
    """Return the page as HTML; ages are relative to `now`."""
    since = {heading: snapshot.coverage.covered_from_text(name) for name, heading in HEADINGS.items()}
    totals = "".join(_total(heading, amount, since.get(heading)) for heading, amount in snapshot.totals)
    sources = "".join(_source(source, now) for source in snapshot.sources)
    state = "" if snapshot.ready else '<p class="waiting">Starting: no data has been read yet.</p>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Spend Exporter</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<header><h1>Spend Exporter</h1><span class="soft">{escape(version)}</span></header>
<p>What your team spends, as Prometheus metrics.</p>
{state}
<nav><a href="metrics">Metrics</a><a href="api/v1/summary">Summary</a>
<a href="readyz">Readiness</a><a href="healthz">Health</a></nav>
<h2>Net cost in US dollars</h2>
<dl class="totals">{totals}</dl>
{_beginnings(snapshot.coverage.sentences())}
<h2>Sources</h2>
<table class="card">
<thead><tr><th scope="col">Source</th><th scope="col">State</th><th scope="col">Last success</th>
<th scope="col" class="number">Rows</th><th scope="col" class="number">Set aside</th></tr></thead>
{sources}
</table>
<footer>As of {_time(snapshot.built_at, now)}. Late charges still arrive for recent days.</footer>
</main>
</body>
</html>
"""


def _total(heading: str, amount: Decimal | None, since: str | None) -> str:
    """A total; `since` is the day from which on its period is known, where it is partial."""
    if amount is None:
        value = f'<dd class="unknown">{"before the bill begins" if since else "not known yet"}</dd>'
    else:
        value = f"<dd>{'&minus;' if round(amount, 2) < 0 else ''}${abs(amount):,.2f}</dd>"
        if since:
            value += f'<dd class="partial">partial: complete from {escape(since)} on</dd>'
    return f'<div class="card"><dt>{escape(heading)}</dt>{value}</div>'


def _beginnings(sentences: Sequence[str]) -> str:
    """The bills that begin after a period does; the first few of many."""
    shown = [*sentences[:_BILLS_SHOWN]]
    more = len(sentences) - _BILLS_SHOWN
    if more > 0:
        shown.append(
            f"{more} more {'bill begins' if more == 1 else 'bills begin'} after a period above does."
        )
    return "".join(f'<p class="soft begins">{escape(each)}</p>' for each in shown)


def _source(source: SourceStatus, now: datetime) -> str:
    css_class, state = _STATES[source.up]
    last_success = "never" if source.last_success is None else _time(source.last_success, now)
    set_aside = sum(rejected.count for rejected in source.rejected)
    row = (
        f'<tr><td class="name">{escape(source.name)}</td>'
        f'<td class="{css_class}" data-head="State">{state}</td>'
        f'<td data-head="Last success">{last_success}</td>'
        f'<td class="number" data-head="Rows">{source.rows:,}</td>'
        f'<td class="number" data-head="Set aside">{set_aside:,}</td></tr>'
    )
    details = f'<p class="down">{escape(source.last_error)}</p>' if source.last_error else ""
    if source.rejected:
        items = "".join(
            f"<li>{rejected.count:,} &times; {escape(rejected.reason)} in {escape(rejected.place)}: "
            f"{escape(rejected.detail)}</li>"
            for rejected in source.rejected
        )
        details += f"<details><summary>What was set aside</summary><ul>{items}</ul></details>"
    if details:
        row += f'<tr class="details"><td colspan="5">{details}</td></tr>'
    return f"<tbody>{row}</tbody>\n"


def _time(at: datetime, now: datetime) -> str:
    return f'<time datetime="{at.isoformat()}" title="{at.isoformat(" ", "seconds")}">{_age(now - at)}</time>'


def _age(age: timedelta) -> str:
    """Return an age in words; a negative one, after the clock was set back, is `just now`."""
    seconds = age.total_seconds()
    if seconds < 1:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
