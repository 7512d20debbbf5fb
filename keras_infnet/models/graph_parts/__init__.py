"""Parts of graphs that several models share."""
