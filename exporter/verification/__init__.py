"""Prove again what was built, or prove a file from elsewhere."""
