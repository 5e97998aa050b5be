#!/bin/sh
# The container's health check: asks the exporter as its configuration says, with TLS and users or without.
set -eu
configuration=${SPEND_CONFIG_FOLDER:-/etc/spend-exporter}/config.yml
if [ -f "$configuration" ]; then
  exec spend-exporter health --config "$configuration" --listen 0.0.0.0:9877
fi
exec spend-exporter health --listen 0.0.0.0:9877
