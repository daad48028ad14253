"""Arrays in, arrays out: actions, steps, status codes. No biology, no chance."""
