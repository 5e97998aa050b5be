"""Runs in koku-nise's own environment: its command line, without the upload of what it wrote to BigQuery."""

from nise import report
from nise.__main__ import main

report.gcp_bucket_to_dataset = lambda *_, **__: None
main()
