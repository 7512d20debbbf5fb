"""Client of a model server."""
