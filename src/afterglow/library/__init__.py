"""Textbook models written in the language: examples to read, to copy and to test the engine with."""
