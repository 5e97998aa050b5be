"""The commands of `spend-exporter`, one file each; `exporter.cli.main` reads the arguments and calls them."""
