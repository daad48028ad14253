"""Imported by the server of processes: the simulator is imported and the model compiled once, for all of them."""

import traceback

from afterglow.interfaces.web import work

try:
    work.warm()
except Exception:  # the server of processes would end; the first question will tell what is wrong
    traceback.print_exc()
