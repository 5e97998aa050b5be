"""The dashboards as code: `python -m grafana.source.generate` writes them to grafana/dashboards as JSON.

One file for each board; panels.py has the kinds of panel, boards.py what all boards share.
"""

import warnings

# The library calls the classic model deprecated as it is imported, in favour of the v2 schema. File
# provisioning of v2 is unreliable, and Grafana 10 does not know it, so the classic model it is.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    import grafana_foundation_sdk.models.dashboard  # noqa: F401
