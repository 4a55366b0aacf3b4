"""The transformer: an HTTP server that turns images into tensors, asks Triton, returns labels."""
