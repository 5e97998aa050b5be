"""JSON over HTTP: sessions, retries and errors that every such API shares."""
