"""afterglow."""
