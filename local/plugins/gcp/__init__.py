"""Google Cloud resources on the storage emulator.

The emulator (fake-gcs-server on disk) stores a bucket's name, and an object's content, content type
and metadata. It has no labels, life cycle, versioning, encryption, access prevention and soft
delete, and reports a location of its own. All these are in the stack's state only: they are checked
and compared as in the official plugin, and never drift. The IAM policy is kept, and enforced, by
the server in front of it (`local.storage`).
"""
