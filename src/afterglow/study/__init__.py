"""Questions put to the model: compare, validate, calibrate."""
