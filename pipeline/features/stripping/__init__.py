"""Files without what was written beside their pixels: the parts of each format that are kept."""
