"""A package of somebody else's that brings one adapter."""
