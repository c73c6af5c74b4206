"""Predictions kept on disk: a model that has seen a batch of rows is not asked about it again.

An entry is what one model said of one batch. It is found by what was predicted from, whatever that is called: the
digest of the model's files, of the batch as the model is fed it, and of the environment. So another version, other
rows, another signature or a newer library miss, a name that is registered anew is no other's, and a test set that has
grown is scored where it is new.
"""
