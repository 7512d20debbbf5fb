"""Parts of InterFormer."""
