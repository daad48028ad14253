"""Biology: one file a system, declarations and equations, and the wires. Nothing here knows how it is run."""
