"""Embedding tables and the tokens made from them."""
