"""Compression passes and what they are told: less of a model, repaired and trained again."""
