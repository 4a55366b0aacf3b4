"""The local cluster behind `make up`."""
