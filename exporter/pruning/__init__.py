"""Channel pruning on a Graph: which channels live and die together, which of them matter least, and their physical removal."""
