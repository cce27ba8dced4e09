"""Channels of a Graph: which layers make and read them, and which belong together."""
