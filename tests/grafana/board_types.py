"""Writes the boards as TypeScript, so that Grafana's own types can check every option in them.

A panel's options, its field options and each override become a constant of the type that Grafana
declares for that panel. An option that a version does not know, or a value that it does not take,
is an error of the compiler.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PANEL_TYPES = ("barchart", "bargauge", "gauge", "piechart", "stat", "table", "text", "timeseries")

# The types name enums where a board's JSON has their values, and require what Grafana fills in by itself.
_PRELUDE = """
type Plain<T> = unknown extends T ? any
  : T extends string ? `${T}`
  : T extends (infer Item)[] ? Plain<Item>[]
  : T extends object ? { [Key in keyof T]?: Plain<T[Key]> }
  : T;
"""


def type_errors(
    boards: dict[str, dict[str, Any]],
    packages: Path,
    version: int,
    folder: Path,
    left_out: frozenset[str] = frozenset(),
) -> list[str]:
    """What the compiler finds in the boards with the types of one major version of Grafana.

    `packages` has `node_modules`; the generated program goes to `folder`. Options named in `left_out` are
    not checked.
    """
    schema = packages / "node_modules" / f"grafana-{version}"
    program = folder / f"boards_{version}.ts"
    program.write_text("\n".join(_program(boards, schema, left_out)), encoding="utf-8")
    settings = {
        "compilerOptions": {
            "strict": True,
            "noEmit": True,
            "skipLibCheck": True,
            "module": "esnext",
            "moduleResolution": "bundler",
            "types": [],
            "paths": {"@grafana/schema": [str(schema)]},
        },
        "files": [str(program)],
    }
    project = folder / f"tsconfig_{version}.json"
    project.write_text(json.dumps(settings), encoding="utf-8")
    compiler = packages / "node_modules" / "typescript" / "bin" / "tsc"
    run = subprocess.run(
        ["node", str(compiler), "--project", str(project), "--pretty", "false"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    errors = run.stdout.splitlines()
    assert run.returncode == 0 or errors, run.stderr
    return errors


def _program(boards: dict[str, dict[str, Any]], schema: Path, left_out: frozenset[str]) -> Iterator[str]:
    yield 'import type { Dashboard, FieldConfig, Panel, RowPanel } from "@grafana/schema";'
    with_fields = set()
    for kind in PANEL_TYPES:
        module = _panel_module(schema, kind)
        yield f'import type * as {kind} from "{module.with_suffix("").with_suffix("")}";'
        if "interface FieldConfig" in module.read_text(encoding="utf-8"):
            with_fields.add(kind)
    yield _PRELUDE
    number = 0
    for uid, board in sorted(boards.items()):
        yield f"// {uid}"
        bare = {key: value for key, value in board.items() if key != "panels"}
        for of_type, value in [
            ('Omit<Dashboard, "panels">', bare),
            *(pair for panel in board["panels"] for pair in _parts(panel, with_fields)),
        ]:
            number += 1
            # On one line, so that an error's line is that of the part.
            yield f"const part_{number}: Plain<{of_type}> = {json.dumps(_without(value, left_out))};"


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, names) for key, inner in value.items() if key not in names}
    if isinstance(value, list):
        return [_without(inner, names) for inner in value]
    return value


def _panel_module(schema: Path, kind: str) -> Path:
    """Where a version keeps the types of a panel; the file's name has changed over the versions."""
    found = sorted(schema.glob(f"dist/*/raw/composable/{kind}/panelcfg/x/*.d.ts"))
    assert found, f"{schema.name} declares no panel {kind}"
    return found[0]


def _parts(panel: dict[str, Any], with_fields: set[str]) -> Iterator[tuple[str, Any]]:
    """Parts of a panel, each with the type that Grafana declares for it."""
    if panel["type"] == "row":
        yield 'Omit<RowPanel, "panels">', {key: value for key, value in panel.items() if key != "panels"}
        for inner in panel.get("panels", []):
            yield from _parts(inner, with_fields)
        return
    kind = panel["type"]
    assert kind in PANEL_TYPES, f"add {kind} to PANEL_TYPES"
    apart = ("options", "fieldConfig", "targets")
    yield (
        'Omit<Panel, "options" | "fieldConfig" | "targets">',
        {key: value for key, value in panel.items() if key not in apart},
    )
    yield f"{kind}.Options", panel.get("options", {})
    fields = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    of_custom = f"{kind}.FieldConfig" if kind in with_fields else "Record<string, never>"
    defaults = dict(fields["defaults"])
    yield of_custom, defaults.pop("custom", {})
    yield 'Omit<FieldConfig, "custom">', defaults
    for override in fields["overrides"]:
        for setting in override["properties"]:
            name = setting["id"].removeprefix("custom.")
            of_type = of_custom if name != setting["id"] else "FieldConfig"
            yield of_type, {name: setting.get("value")}
