"""The training step that updates only the embedding rows a batch reads.

One file per backend. A step differs from that of Keras's trainer only for
embedding tables: it first gathers their rows, uses them in the forward pass
in place of the tables, and passes their gradients to the optimizer.
`optimizers/table_rows.py` gathers, sums and scatters rows,
`optimizers/embedding_optimizer.py` computes the updates.
"""
