"""From PyTorch source to a release. `model.signature` is all that the Pulumi program sees."""
