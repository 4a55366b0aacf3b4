"""The gcp provider plugin of the local stack, for the storage emulator.

It replaces the official plugin, which no package registry has. It supports the resource types that
this program uses, and no others, and reports at its start that it is in use.

Pulumi's Python SDK has a provider class, but that passes on neither the hashes of assets nor a
resource's previous inputs, and both are needed here. So this implements the protocol itself.
"""
