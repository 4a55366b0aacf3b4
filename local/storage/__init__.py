"""Cloud Storage on this machine: an emulator, and the IAM that decides who may use it how.

The emulator, fake-gcs-server, lets everybody do everything. The server here stands in front of it,
at the address that clients have, and passes on what a bucket's IAM policy allows.
"""
