#!/usr/bin/env bash
# Builds helm and kustomize into .cache/deploy-tools where the machine has neither: some minutes, once. Needs Go.
set -euo pipefail
tools=$PWD/.cache/deploy-tools
mkdir -p "$tools"

build() { # build PROGRAM MODULE@VERSION
  if command -v "$1" >/dev/null; then
    echo "$1: $(command -v "$1")"
  elif command -v go >/dev/null; then
    echo "Building $2 ..."
    GOBIN=$tools go install "$2"
  else
    echo "$1 is missing, and so is Go to build it: install one of them." >&2
    return 1
  fi
}

build helm helm.sh/helm/v3/cmd/helm@v3.19.5
build kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
