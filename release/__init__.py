"""What a release is, how it is stored and pinned: read and written here, for all packages."""
