"""Everything a person or a browser touches."""
