"""Trained models in: every kind of source becomes one Graph, and gives the reference outputs of its own framework."""
