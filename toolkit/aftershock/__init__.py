"""Aftershock: reads the run logs of all your tools, finds the damage, and says how sure it is."""
