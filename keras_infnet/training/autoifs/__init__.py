"""The two training stages of AutoIFS."""
