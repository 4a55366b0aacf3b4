"""Models, one a file: whatever lies here can be built."""
