"""Outside systems that charges come from, one file each."""
