"""The gcp plugin of the local stack, in Python on Pulumi's provider protocol.

It stands in for the official one, which no package registry serves, and speaks to the storage
emulator only. It knows the resource types that this program uses, refuses every other by name, and
says at its start that it is in use.
"""
