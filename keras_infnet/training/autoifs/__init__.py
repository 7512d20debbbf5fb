"""Training of AutoIFS: search and retraining."""
