"""What a stage does: list, decide with the core, act through the ports, report."""
