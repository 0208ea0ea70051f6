"""Enforcement at work: the pure core over the store, one transaction for each command."""
