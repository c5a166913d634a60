"""Load tests that tell a slower engine from a noisy machine."""
