#!/usr/bin/env bash
# Writes the software bill of materials of .cache/locked (tools/locked.sh makes it), as CycloneDX.
#   sbom.sh VERSION FILE
set -euo pipefail
described=$(mktemp -d)
trap 'rm -r "$described"' EXIT
# The version is written in the package, not in pyproject.toml.
sed "s/^dynamic = \[\"version\"\]$/version = \"$1\"/" pyproject.toml >"$described/pyproject.toml"
.cache/release/bin/cyclonedx-py environment --pyproject "$described/pyproject.toml" --output-reproducible \
  --output-file "$2" .cache/locked
