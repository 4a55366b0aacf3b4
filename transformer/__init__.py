"""The transformer: images in, the predictor's tensors between, labels out."""
