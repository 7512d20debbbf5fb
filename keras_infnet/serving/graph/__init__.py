"""The TensorFlow graph of an exported model."""
