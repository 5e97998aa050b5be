"""The dashboards as code: `python -m grafana.source.generate` writes them to grafana/dashboards as JSON.

There is one file for each board; panels.py has the kinds of panel, boards.py the parts that all boards share.
"""

import warnings

# On import, the library warns that the classic model is deprecated in favour of the v2 schema. File
# provisioning of v2 is unreliable, and Grafana 10 does not support it, so we use the classic model.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    import grafana_foundation_sdk.models.dashboard  # noqa: F401
