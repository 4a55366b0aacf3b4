"""Provider plugins for the local stack, in Python on Pulumi's provider protocol.

`pulumi-resource-kubernetes` stands in where the official plugin can't be installed;
`pulumi-resource-gcp` speaks to the storage emulator only. Both know the resource types that this
program uses, refuse every other by name, and say at their start that they are in use.
"""
