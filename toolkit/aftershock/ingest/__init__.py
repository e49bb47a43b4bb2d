"""Ingestion: recognise, read, map, check, commit. One file of logs is one transaction: all of it or nothing.

`containers` opens what people hand in, `peek` and `recognise` find whose it is, `stage` reads its records typed (and record by
record where that fails), `canonical` makes rows of them, `keys` and `redact` look into the text, `pipeline` does it all.
"""
