"""What a Graph costs."""
