"""The command line: one file a command, arguments included."""
