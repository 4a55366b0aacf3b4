"""The Jobs' container: the verification of an endpoint, its load test and the verdict."""
