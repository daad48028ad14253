"""What has to happen before any test module is loaded."""

import contextlib

with contextlib.suppress(ImportError):  # loaded after libSBML, libSEDML takes over types of its trees of formulas
    import libsedml  # noqa: F401
