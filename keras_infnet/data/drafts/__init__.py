"""Drafts of schemas from tables."""
