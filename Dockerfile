# The exporter alone: no compiler, no pip, no tests. Runs as a numeric user on a read-only root.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/spend-exporter
WORKDIR /src

# The dependencies by themselves, so that a change to the code does not download them again: the versions and files that `make lock`
# has written down, and nothing that would have to be compiled.
COPY docker/requirements.txt docker/build-requirements.txt ./
RUN python -m pip --python /opt/spend-exporter/bin/python install --quiet --require-hashes --only-binary :all: --requirement requirements.txt \
 && python -m pip install --quiet --require-hashes --only-binary :all: --requirement build-requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY exporter ./exporter
RUN python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels . \
 && python -m pip --python /opt/spend-exporter/bin/python install --quiet --no-deps --no-index wheels/*.whl


FROM python:3.13-slim
LABEL org.opencontainers.image.title="spend-exporter" \
      org.opencontainers.image.description="Prometheus exporter for what a team spends" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/spend-exporter /opt/spend-exporter
COPY docker/entrypoint.sh /usr/local/bin/spend-exporter-entrypoint
COPY docker/health.sh /usr/local/bin/spend-exporter-health
RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/spend-exporter
ENV PATH=/opt/spend-exporter/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/var/lib/spend-exporter
USER 65532:65532
# A ledger that is configured by a relative path lands on the volume.
WORKDIR /var/lib/spend-exporter
VOLUME /var/lib/spend-exporter
EXPOSE 9877
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["spend-exporter-health"]
ENTRYPOINT ["spend-exporter-entrypoint"]
