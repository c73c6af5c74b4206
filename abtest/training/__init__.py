"""Candidates for a champion's place: several estimators trained on the same rows, ranked on the same folds.

The hold-out is split off first; no fit, no search and no ranking sees it. Candidates are searched and cross-validated
by scikit-learn, on folds they share, so that what is between two of them is known with a paired interval. The best by
cross-validation is the best; the hold-out then says, on rows nobody has seen, how good each is and what is between
them.
"""
