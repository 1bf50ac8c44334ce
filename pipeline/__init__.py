"""Everything that happens to a picture and needs no HTTP."""
