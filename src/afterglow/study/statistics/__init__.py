"""The statistics of a trial: arrays in, estimates out. Knows nothing of drugs, courses or people's models."""
