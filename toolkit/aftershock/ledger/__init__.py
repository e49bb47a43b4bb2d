"""The ledger: the only code that opens DuckDB files.

`store` writes the private file under one lock, `settle` folds observations into the public tables, `snapshots` publishes,
`reader` is what everybody else opens.
"""
