"""Adapters: one file per export format, how to recognise it and how to select canonical rows from it."""
