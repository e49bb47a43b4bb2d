"""Charts: a result goes in, a plotly Figure comes out. Nothing is computed here."""
