"""The training step that updates only the embedding rows a batch reads.

One file a backend. Each step is that of Keras's own trainer, but for the
tables: their rows are read first, the forward pass uses them in place of the
tables, and the optimizer gets the gradient with respect to these rows. How
rows are then read, added up and written is in `optimizers/table_rows.py`,
what is computed from them in `optimizers/embedding_optimizer.py`.
"""
