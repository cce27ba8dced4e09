"""int8: calibration data checked, ranges collected, numbers chosen, losses repaired; the outcome is a Graph with QDQ pairs."""
