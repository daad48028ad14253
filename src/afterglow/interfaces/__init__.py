"""Command line, Python interface, report and figures: parse, call, show."""
