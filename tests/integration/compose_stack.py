"""Starts services of docker-compose.yml for a test and removes every trace of them afterwards.

Uses Docker with its compose plug-in, else podman with podman-compose. SPEND_TEST_IMAGES, where set, is a
program that provides the images without a registry: it is called with their names, makes them known to
podman under those names, and prints `export NAME=VALUE` for each setting that podman needs from then on.
"""

import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = ("exporter", "alertmanager", "prometheus")
BUILD_AND_START_SECONDS = 600
READY_SECONDS = 120

T = TypeVar("T")


@dataclass(frozen=True)
class Engine:
    """A container engine and the compose command that goes with it."""

    command: str
    compose: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)

    def attempt(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments,
            cwd=ROOT,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_AND_START_SECONDS,
            check=False,
        )

    def run(self, *arguments: str, **environment: str) -> str:
        """Return what a command printed. It has to succeed."""
        done = self.attempt(*arguments, **environment)
        assert done.returncode == 0, f"{shlex.join(arguments)}: exit {done.returncode}\n{done.stdout[-8000:]}"
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        return self.attempt(*arguments).returncode == 0

    def provides(self, image: str) -> bool:
        present = self.succeeds(self.command, "image", "inspect", image)
        return present or self.succeeds(self.command, "pull", image)


@dataclass(frozen=True)
class Stack:
    """The started services of one compose project, and the loopback ports that they are published on."""

    engine: Engine
    project: str
    ports: dict[str, int]

    def container(self, service: str) -> str:
        labels = {"project": self.project, "service": service}
        filters = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        return self.engine.run(self.engine.command, "ps", "--all", "--quiet", *filters).strip()

    def execute(self, service: str, *command: str) -> str:
        return self.engine.run(self.engine.command, "exec", self.container(service), *command)

    def inspect(self, service: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(
            self.engine.run(self.engine.command, "inspect", self.container(service))
        )
        return found[0]

    def get(self, service: str, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def prometheus(self, path: str) -> Any:
        return json.loads(self.get("prometheus", f"/api/v1/{path}"))["data"]

    def exported_usd(self, metric: str) -> float:
        """Sum of every sample of a metric, read from the exporter itself."""
        families = text_string_to_metric_families(self.get("exporter", "/metrics"))
        return math.fsum(
            sample.value for family in families for sample in family.samples if sample.name == metric
        )


def image_names() -> list[str]:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    services = [COMPOSE_FILE["services"][name] for name in SERVICES]
    return sorted({*bases, *(service["image"] for service in services if "image" in service)})


def podman(environment: dict[str, str]) -> Engine:
    # A build downloads packages: it gets the settings that this machine has for that.
    mounts = [
        f"--volume={path}:{path}:ro"
        for path in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
        if Path(path).exists()
    ]
    return Engine("podman", ("podman-compose", f"--podman-build-args={' '.join(mounts)}"), environment)


def find_engine() -> Engine:
    """Return a container engine that has every image, or skip the test and say what is missing."""
    environment = dict(os.environ)
    if provider := environment.get("SPEND_TEST_IMAGES"):
        printed = podman(environment).run(provider, *image_names())
        settings = dict(re.findall(r"\bexport (\w+)=(.*)$", printed, flags=re.MULTILINE))
        return podman(environment | settings)

    docker = Engine("docker", ("docker", "compose"), environment)
    has_docker = shutil.which("docker") and docker.succeeds("docker", "compose", "version")
    if has_docker and docker.succeeds("docker", "info"):
        found = docker
    elif shutil.which("podman") and shutil.which("podman-compose"):
        found = podman(environment)
    else:
        pytest.skip("needs a container engine: docker with compose, or podman and podman-compose")
    for image in image_names():
        if not found.provides(image):
            pytest.skip(f"{found.command} has no image {image} and cannot pull it")
    return found


def started(engine: Engine, project: str, services: tuple[str, ...], **environment: str) -> Iterator[Stack]:
    """Build and start services under a project name of their own; remove every trace of them afterwards."""
    ports = {service: free_port() for service in services}
    environment |= {f"SPEND_{service.upper()}_PORT": str(port) for service, port in ports.items()}
    compose = (*engine.compose, "--project-name", project)
    try:
        engine.run(*compose, "up", "--build", "--detach", *services, **environment)
        yield Stack(engine, project, ports)
        # Shown by pytest when a test failed.
        sys.stdout.write(engine.run(*compose, "logs", **environment))
    finally:
        # Older versions of podman-compose cannot remove the images that they built.
        removes_images = "--rmi" in engine.run(*engine.compose, "down", "--help")
        images = ("--rmi", "local") if removes_images else ()
        engine.run(*compose, "down", "--volumes", *images, **environment)


def eventually(what: str, probe: Callable[[], T]) -> T:
    """Ask until the answer is truthy; a refused connection is an answer to wait for."""
    deadline = time.monotonic() + READY_SECONDS
    pause = threading.Event()
    while True:
        try:
            seen: object = (answer := probe())
            if answer:
                return answer
        except OSError as error:
            seen = error
        assert time.monotonic() < deadline, f"{what}: not within {READY_SECONDS} s; last seen: {seen!r}"
        pause.wait(0.5)
