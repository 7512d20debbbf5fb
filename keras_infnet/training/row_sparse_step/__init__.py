"""Training steps that update only the embedding rows a batch reads."""
