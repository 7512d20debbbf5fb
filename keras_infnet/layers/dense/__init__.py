"""Dense layers, normalization and activations."""
