"""What a user would write instead, each a script of its own, run where the models and the labelled rows are.

Each prints both sides' accuracy at its end, as JSON, so that it can be seen to have done its work.
"""
