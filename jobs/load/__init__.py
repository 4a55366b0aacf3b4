"""The load test of an endpoint: requests at a rate, measured and judged."""
