"""Results of load tests as text and as a page."""
