"""The HTTP server: endpoints, TLS, users, the status page and the event stream."""
