"""What goes wrong around the transformer and the Jobs, on the local cluster: `make faults`."""
