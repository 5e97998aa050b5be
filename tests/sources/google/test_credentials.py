"""Google credentials: every kind loaded by google-auth, used against a token service on a loopback socket."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import impersonated_credentials
from google.oauth2 import credentials as user_credentials

from exporter.core.errors import SourceError
from exporter.sources.base import RefreshContext, RefreshTally
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.credentials import CredentialsSettings, load_identity
from tests.fakes.bigquery_export import DAILY_TABLE, FakeExport
from tests.fakes.bigquery_rest import ApiError, FakeBigQuery, Fault
from tests.support import places

TABLE = "pay.billing.gcp_billing_export_resource_v1_0A_0B_0C"
ROBOT = "exporter@pay.iam.gserviceaccount.com"
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
REVOKED = (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
SCOPES = ["https://www.googleapis.com/auth/bigquery"]


@pytest.fixture
def server() -> Iterator[FakeBigQuery]:
    export = FakeExport()
    export.add_day(datetime(2026, 11, 22, tzinfo=UTC))
    with FakeBigQuery(export, tables={TABLE: DAILY_TABLE}, token="ya29.secret-token") as running:
        yield running


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def key_file(server: FakeBigQuery, private_key: str, tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    content = {
        "type": "service_account",
        "project_id": "robots",
        "private_key_id": "0123",
        "private_key": private_key,
        "client_email": ROBOT,
        "token_uri": f"{server.address}/token",
    }
    path.write_text(json.dumps(content))
    return path


def refresh(source: BigQuerySource, spool: Path) -> int:
    context = RefreshContext({}, NOW, NOW, NOW - timedelta(days=30), spool, RefreshTally())
    return len(list(source.refresh(context)))


def refused(source: BigQuerySource, spool: Path) -> SourceError:
    with pytest.raises(SourceError) as raised:
        refresh(source, spool)
    return raised.value


@pytest.mark.slow
def test_a_service_account_key_gets_a_token_and_its_project_runs_the_jobs(
    server: FakeBigQuery, key_file: Path, tmp_path: Path
) -> None:
    source = BigQuerySource(table=TABLE, credentials_path=key_file, endpoint=server.address)

    assert refresh(source, tmp_path) == 1
    assert server.requests[0].path.startswith("/token")
    assert all(job.resource["jobReference"]["projectId"] == "robots" for job in server.jobs.values())


@pytest.mark.slow
def test_the_token_is_kept_from_one_refresh_to_the_next(
    server: FakeBigQuery, key_file: Path, tmp_path: Path
) -> None:
    source = BigQuerySource(table=TABLE, credentials_path=key_file, endpoint=server.address)
    refresh(source, tmp_path)
    refresh(source, tmp_path)

    assert sum(request.path.startswith("/token") for request in server.requests) == 1


def test_a_revoked_key_is_reported_with_how_to_renew_it_and_works_again_without_a_restart(
    server: FakeBigQuery, key_file: Path, private_key: str, tmp_path: Path
) -> None:
    source = BigQuerySource(table=TABLE, credentials_path=key_file, endpoint=server.address)
    server.token_error = REVOKED

    error = refused(source, tmp_path)

    assert error.reason == "bad_credentials"
    assert "invalid_grant" in str(error)
    assert "gcloud iam service-accounts keys create" in str(error)
    assert private_key.splitlines()[1] not in repr(error) + repr(error.__cause__) + repr(source)
    server.token_error = None
    assert refresh(source, tmp_path) == 1


def test_a_token_that_bigquery_refuses_is_reported_as_bad_credentials(
    server: FakeBigQuery, key_file: Path, tmp_path: Path
) -> None:
    server.token_error = (200, {"access_token": "another", "expires_in": 3600})

    error = refused(BigQuerySource(table=TABLE, credentials_path=key_file, endpoint=server.address), tmp_path)

    assert error.reason == "bad_credentials"
    assert "Invalid Credentials" in str(error)


def test_application_default_credentials_are_found_by_the_environment(
    server: FakeBigQuery, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))

    assert refresh(BigQuerySource(table=TABLE, endpoint=server.address), tmp_path) == 1


@pytest.mark.slow
def test_without_any_credentials_the_text_names_key_variable_and_command(tmp_path: Path) -> None:
    program = (
        "from exporter.sources.google.credentials import CredentialsSettings, load_identity\n"
        "from exporter.core.errors import SourceError\n"
        "try:\n    load_identity(CredentialsSettings(), ['scope'])\n"
        "except SourceError as error:\n    print(error.reason, error)\n"
    )
    environment = {"NO_GCE_CHECK": "true", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    environment["PYTHONPATH"] = str(places.REPOSITORY)

    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout

    assert told.startswith("no_credentials ")
    for part in (
        "gcp.credentials_path",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "gcloud auth application-default login",
    ):
        assert part in told


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gcp.credentials_path: there is no file .*nokey.json") as raised:
        load_identity(CredentialsSettings(tmp_path / "nokey.json"), SCOPES)

    assert raised.value.reason == "no_credentials"


@pytest.mark.parametrize(
    "content",
    ["", "not json", "[]", "{}", '{"type": "service_account", "private_key": "s3cret"}', '{"type": "odd"}'],
)
def test_a_file_that_holds_no_credentials_is_reported_without_quoting_it(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)

    with pytest.raises(SourceError) as raised:
        load_identity(CredentialsSettings(path), SCOPES)

    assert raised.value.reason == "bad_credentials"
    assert str(path) in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_workload_identity_file_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "workload.json"
    content = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": str(tmp_path / "token")},
    }
    path.write_text(json.dumps(content))

    assert load_identity(CredentialsSettings(path), SCOPES).principal == "the account in use"


def test_an_impersonated_account_is_the_one_that_advice_speaks_of(key_file: Path) -> None:
    identity = load_identity(CredentialsSettings(key_file, "reader@pay.iam.gserviceaccount.com"), SCOPES)

    assert identity.principal == "reader@pay.iam.gserviceaccount.com"
    assert isinstance(identity.credentials, impersonated_credentials.Credentials)


def test_impersonation_that_is_not_allowed_names_the_missing_role(
    server: FakeBigQuery, tmp_path: Path
) -> None:
    credentials = impersonated_credentials.Credentials(
        source_credentials=user_credentials.Credentials(token=server.token),
        target_principal=ROBOT,
        target_scopes=SCOPES,
        iam_endpoint_override=f"{server.address}/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken",
    )

    denied = ApiError(403, "forbidden", "Permission 'iam.serviceAccounts.getAccessToken' denied")
    server.faults = [Fault("POST", "generateAccessToken", denied)]

    error = refused(BigQuerySource(table=TABLE, credentials=credentials, endpoint=server.address), tmp_path)

    assert error.reason == "permission_denied"
    assert "roles/iam.serviceAccountTokenCreator" in str(error)
