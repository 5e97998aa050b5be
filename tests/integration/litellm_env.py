"""Makes, once, the virtual environment in which LiteLLM's proxy runs, and starts the proxy from it.

It has an environment of its own because it brings some hundred packages, with versions of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.support.environments import environment

HERE = Path(__file__).parent
PACKAGES = ("litellm[proxy]==1.106.0", "prometheus-client")
START_SECONDS = 300.0
ADMIN_KEY = "sk-admin-0123456789abcdefghijklmnop"
SHOP_KEY = "sk-shop-0123456789abcdefghijklmnop"
SEARCH_KEY = "sk-search-0123456789abcdefghijklmnop"
LOOSE_KEY = "sk-loose-0123456789abcdefghijklmnop"
CONFIG = f"""
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_key: none, mock_response: "Hello there"}}
  - model_name: sonnet
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_key: none, mock_response: "Hello"}}
  - model_name: gemini
    litellm_params: {{model: vertex_ai/gemini-2.5-pro, mock_response: "Good day"}}
litellm_settings:
  callbacks: ["prometheus"]
general_settings:
  master_key: {ADMIN_KEY}
  custom_auth: litellm_keys.known_key
"""


def _python() -> Path:
    return environment("litellm-1.106.0", *PACKAGES)


@contextlib.contextmanager
def running_proxy(folder: Path, port: int) -> Iterator[str]:
    """Start the proxy without a database, yield its address, kill that very process."""
    (folder / "config.yaml").write_text(CONFIG, "utf-8")
    shutil.copy(HERE / "litellm_keys.py", folder)
    command: list[str | Path] = [
        _python().with_name("litellm"),
        *("--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(port)),
    ]
    with _running(command, folder, port) as address:
        yield address


@contextlib.contextmanager
def running_over_tables(tables: Path, port: int) -> Iterator[str]:
    """Start the proxy's application over tables in a JSON file, yield its address, kill it."""
    command: list[str | Path] = [_python(), HERE / "litellm_launch.py", str(port), tables]
    with _running(command, tables.parent, port) as address:
        yield address


@contextlib.contextmanager
def _running(command: list[str | Path], folder: Path, port: int) -> Iterator[str]:
    log = folder / "proxy.log"
    # Without the first the proxy asks a web page for prices.
    settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **settings}
        )
    try:
        _wait_until_it_answers(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            # Not a condition to wait on in-process: another process has to get ready.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
    raise RuntimeError(f"LiteLLM did not start; its log ends:\n{log.read_text(errors='replace')[-3000:]}")
