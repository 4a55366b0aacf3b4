"""From PyTorch source to a release."""
