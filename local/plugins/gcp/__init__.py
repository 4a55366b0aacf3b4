"""Google Cloud resources on the storage emulator.

The emulator (fake-gcs-server on disk) keeps a bucket's name, and of an object its content, its
content type and its metadata. It knows no labels, life cycle, versioning, encryption, access
prevention, soft delete and no IAM, and reports a location of its own. Of all that the stack's
state is the only record: it is checked, diffed and put out as the official plugin does, and never
shows as drift.
"""
