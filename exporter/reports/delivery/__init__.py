"""Sends reports, each once per period: by SMTP, to Slack, to a webhook."""
