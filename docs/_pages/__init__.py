"""What `make_pages.py` writes: one module a kind of page."""
