"""Compiles an exported program to an AOTInductor package: the Job of a model in format `aoti`."""
