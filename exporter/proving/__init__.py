"""Run a written file in its engine and hold what it gives against what it must give."""
