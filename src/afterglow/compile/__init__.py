"""From an expression graph to something that runs, or that people can read."""
