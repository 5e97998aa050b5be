"""The commands of `spend-exporter`, one file each; `exporter.cli` reads the arguments and calls them."""
