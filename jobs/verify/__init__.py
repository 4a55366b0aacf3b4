"""The verification of an endpoint: its answers are compared with those of the release."""
