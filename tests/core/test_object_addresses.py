"""Addresses of objects: their spellings, what they match, and what is wrong with others."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

from exporter.core.object_addresses import Bucket, NoObjectAddressError, is_address, object_pattern

KEYS = [
    *(
        "a.csv",
        "b.csv.gz",
        "data/a.csv",
        "data/x/a.csv",
        "data/x/y/a.csv",
        "data/x/y/b.csv",
        "database/a.csv",
    ),
    *("data/.hidden.csv", ".h/a.csv", "data/x/[1].csv", "data/x/1.csv", "data/x/a!.csv", "data/x^y/-.csv"),
]


@pytest.mark.parametrize(
    ("text", "bucket", "prefix", "shown"),
    [
        ("s3://b/data/**/*.csv", Bucket("s3", "b"), "data/", None),
        ("S3A://b/data/part-[0-9]*", Bucket("s3", "b"), "data/part-", "s3://b/data/part-[0-9]*"),
        ("gcs://b/one.csv", Bucket("gs", "b"), "one.csv", "gs://b/one.csv"),
        ("az://c@account1/x/*", Bucket("az", "c", "account1"), "x/", None),
        (
            "abfss://c@account1.dfs.core.windows.net/x/*",
            Bucket("az", "c", "account1"),
            "x/",
            "az://c@account1/x/*",
        ),
        (
            "az://c@a123.blob.core.chinacloudapi.cn/x",
            Bucket("az", "c", "a123.blob.core.chinacloudapi.cn"),
            "x",
            None,
        ),
        ("az://c/x?.csv", Bucket("az", "c"), "x", None),
        ("s3://b/FOCUS Reports/**/*.gz", Bucket("s3", "b"), "FOCUS Reports/", None),
    ],
)
def test_an_address_has_a_bucket_and_a_fixed_part(
    text: str, bucket: Bucket, prefix: str, shown: str | None
) -> None:
    found = object_pattern(text)
    assert (found.bucket, found.prefix, str(found)) == (bucket, prefix, shown or text)
    assert object_pattern(str(found)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://b.s3.amazonaws.com/x.csv", "expected a path, or objects at s3://"),
        ("s3://b", "names no objects; for example s3://b/**/*.parquet"),
        ("s3://b/folder/", "names no objects; for example s3://b/folder/**/*.parquet"),
        ("s3:///x.csv", "names no bucket"),
        ("s3://user:password@b/x.csv", "has a user, key or port"),
        ("s3://key@b/x.csv", "has a user, key or port"),
        ("az://c@UPPER/x.csv", "names no bucket"),
        ("s3://b/x\n.csv", "control character"),
    ],
)
def test_another_text_is_refused_with_a_good_one(text: str, said: str) -> None:
    with pytest.raises(NoObjectAddressError, match=said.replace("*", r"\*")):
        object_pattern(text)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "**/*.csv",
            "*.csv",
            "data/**/*.csv",
            "data/**/a.csv",
            "data/*/a.csv",
            "data/**",
            "data/x/[[]1].csv",
        ),
        *(
            "data/x/[0-9].csv",
            "data/x/[!0-9]*.csv",
            "data/x/?.csv",
            "**/x/**/*.csv",
            "data/.*.csv",
            "data/x^y/[!a].csv",
        ),
    ],
)
def test_a_pattern_matches_the_keys_that_a_glob_matches_as_files(pattern: str, tmp_path: Path) -> None:
    for key in KEYS:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).touch()
    as_files = {
        str(Path(name).relative_to(tmp_path))
        for name in glob.glob(f"{glob.escape(str(tmp_path))}/{pattern}", recursive=True)  # noqa: PTH207
        if Path(name).is_file()
    }
    found = object_pattern(f"s3://b/{pattern}")
    assert {key for key in KEYS if found.matches(f"s3://b/{key}")} == as_files
    assert all(key.startswith(found.prefix) for key in as_files)


def test_paths_are_no_addresses() -> None:
    assert not any(map(is_address, ("exports/*.csv", "/exports/a:b/*.csv", "C:\\exports", "~/x")))
